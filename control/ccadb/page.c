/* SPDX-License-Identifier: Apache-2.0 */
#include "control/ccadb/page.h"

/* append_escaped appends |text| as HTML has text, in attributes too. */
static void append_escaped(struct mg_buffer *out, const char *text)
{
    for (; *text != '\0'; text++) {
        switch (*text) {
        case '&':
            mg_buffer_append_text(out, "&amp;");
            break;
        case '<':
            mg_buffer_append_text(out, "&lt;");
            break;
        case '>':
            mg_buffer_append_text(out, "&gt;");
            break;
        case '"':
            mg_buffer_append_text(out, "&quot;");
            break;
        case '\'':
            mg_buffer_append_text(out, "&#39;");
            break;
        default:
            mg_buffer_append(out, text, 1);
        }
    }
}

static void begin(struct mg_buffer *out, const char *title)
{
    mg_buffer_append_text(out, "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n<title>");
    append_escaped(out, title);
    mg_buffer_append_text(out, "</title>\n</head>\n<body>\n<h1>");
    append_escaped(out, title);
    mg_buffer_append_text(out, "</h1>\n");
}

static void paragraph(struct mg_buffer *out, const char *text)
{
    mg_buffer_append_text(out, "<p>");
    append_escaped(out, text);
    mg_buffer_append_text(out, "</p>\n");
}

static void end(struct mg_buffer *out)
{
    mg_buffer_append_text(out, "</body>\n</html>\n");
}

static void hidden(struct mg_buffer *out, const char *name, const char *value)
{
    mg_buffer_append_text(out, "<input type=\"hidden\" name=\"");
    mg_buffer_append_text(out, name);
    mg_buffer_append_text(out, "\" value=\"");
    append_escaped(out, value);
    mg_buffer_append_text(out, "\">\n");
}

void page_approval(struct mg_buffer *out, const struct page_approval *approval)
{
    begin(out, "Allow access?");
    if (approval->trouble[0] != '\0') {
        paragraph(out, approval->trouble);
    }
    mg_buffer_append_text(out, "<p><strong>");
    append_escaped(out, approval->client);
    mg_buffer_append_text(out, "</strong> asks to use the CCADB API in your name, now and later, until that is taken "
                               "back. It will be told at <code>");
    append_escaped(out, approval->redirect_uri);
    mg_buffer_append_text(out, "</code>.</p>\n<form method=\"post\" action=\"/services/oauth2/authorize\" "
                               "autocomplete=\"off\">\n");
    hidden(out, "client_id", approval->client_id);
    hidden(out, "redirect_uri", approval->redirect_uri);
    hidden(out, "response_type", "code");
    if (approval->state[0] != '\0') {
        hidden(out, "state", approval->state);
    }
    hidden(out, "form", approval->form);
    mg_buffer_append_text(out, "<p><label>User <input name=\"username\"></label></p>\n"
                               "<p><label>Password <input type=\"password\" name=\"password\"></label></p>\n"
                               "<p><button name=\"answer\" value=\"allow\">Allow</button>\n"
                               "<button name=\"answer\" value=\"deny\">Deny</button></p>\n</form>\n");
    end(out);
}

void page_message(struct mg_buffer *out, const char *title, const char *text)
{
    begin(out, title);
    paragraph(out, text);
    end(out);
}
