/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "control/ccadb/page.h"

static void test_whatever_is_in_the_texts_stays_text(void **state)
{
    (void)state;
    static const char hostile[] = "\"><script>alert('x')</script>&";
    static const char escaped[] = "&quot;&gt;&lt;script&gt;alert(&#39;x&#39;)&lt;/script&gt;&amp;";
    struct mg_buffer html;
    const struct page_approval approval = {.client = hostile,
                                           .trouble = hostile,
                                           .client_id = hostile,
                                           .redirect_uri = hostile,
                                           .state = hostile,
                                           .form = hostile};
    mg_buffer_init(&html, PAGE_MAX);
    page_approval(&html, &approval);
    page_message(&html, hostile, hostile);
    mg_buffer_append_u8(&html, '\0');
    const char *text = (const char *)html.data;
    assert_null(strstr(text, "<script"));
    assert_null(strstr(text, "'x'"));
    size_t num = 0;
    for (const char *at = text; (at = strstr(at, escaped)) != NULL; at++) {
        num++;
    }
    assert_int_equal(num, 10); /* the address, and a message's title, stand there twice */
    mg_buffer_free(&html);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_whatever_is_in_the_texts_stays_text)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
