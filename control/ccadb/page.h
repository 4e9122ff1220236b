/* SPDX-License-Identifier: Apache-2.0 */
/* The pages that a person sees while a client is allowed to use the CCADB API: plain HTML, without script. Whatever is
 * in the texts stays text. Pure: any thread. */
#ifndef MINTGATE_CONTROL_CCADB_PAGE_H
#define MINTGATE_CONTROL_CCADB_PAGE_H

#include "base/buffer.h"

#define PAGE_MAX ((size_t)64 * 1024)
#define PAGE_HTML "text/html; charset=utf-8"

/* What the form of the approval page says and sends back. All texts are borrowed; "" where there is none. */
struct page_approval {
    const char *client;  /* its name */
    const char *trouble; /* what was wrong with the last answer */
    const char *client_id, *redirect_uri, *state, *form;
};

/* page_approval appends the page on which a person logs in and allows or denies a client. */
void page_approval(struct mg_buffer *out, const struct page_approval *approval);

/* page_message appends a page that says |text|. */
void page_message(struct mg_buffer *out, const char *title, const char *text);

#endif
