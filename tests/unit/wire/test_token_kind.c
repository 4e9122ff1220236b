/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "wire/token_kind.h"

static enum token_kind kind_of(const char *module, const char *module_maker, const char *maker, const char *model,
                               bool is_hardware_slot)
{
    const struct wire_token_identity identity = {.module = mg_slice_of_text(module),
                                                 .module_maker = mg_slice_of_text(module_maker),
                                                 .label = mg_slice_of_text("a software label says nothing"),
                                                 .maker = mg_slice_of_text(maker),
                                                 .model = mg_slice_of_text(model),
                                                 .is_hardware_slot = is_hardware_slot};
    return token_kind_of(&identity);
}

static void test_known_programs_are_software_whatever_their_slot_says(void **state)
{
    (void)state;
    assert_int_equal(kind_of("Implementation of PKCS11", "SoftHSM", "SoftHSM project", "SoftHSM v2", true),
                     TOKEN_KIND_SOFTWARE);
    assert_int_equal(kind_of("NSS Internal Crypto Services", "Mozilla Foundation", "", "NSS 3", true),
                     TOKEN_KIND_SOFTWARE);
    assert_int_equal(kind_of("", "IBM", "IBM", "Soft", false), TOKEN_KIND_SOFTWARE);
}

static void test_a_hardware_slot_is_believed_of_others_alone(void **state)
{
    (void)state;
    assert_int_equal(kind_of("Some HSM's client", "A vendor", "A vendor", "Model 7", true), TOKEN_KIND_HARDWARE);
    assert_int_equal(kind_of("Vendor's software", "A vendor", "A vendor", "Model 7", true), TOKEN_KIND_HARDWARE);
    assert_int_equal(kind_of("Some HSM's client", "A vendor", "A vendor", "Model 7", false), TOKEN_KIND_UNKNOWN);
    assert_string_equal(token_kind_name(TOKEN_KIND_UNKNOWN), "unknown");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_known_programs_are_software_whatever_their_slot_says),
        cmocka_unit_test(test_a_hardware_slot_is_believed_of_others_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
