/* SPDX-License-Identifier: Apache-2.0 */
#include "minting/leaf_names.h"

static void drop_names(struct leaf_names *out, leaf_names_keep *keep, void *keep_arg)
{
    const struct mimic *mimic = out->mimic;
    for (size_t i = 0; i < mimic->num_names; i++) {
        const struct mimic_name *name = &mimic->names[i];
        if (!keep(keep_arg, mimic_name_kind_of(name), mimic_name_value(name))) {
            out->dropped[i / 8] |= (uint8_t)(1u << (i % 8));
            out->num_dropped++;
        }
    }
    out->drops_subject = mimic->subject_name.len > 0 && !keep(keep_arg, MIMIC_NAME_DNS, mimic->subject_name);
}

static bool kept_names_cover(const struct leaf_names *names, enum mimic_name_kind kind, struct mg_slice reference)
{
    for (size_t i = 0; i < names->mimic->num_names; i++) {
        if (!leaf_names_is_dropped(names, i) && mimic_name_matches(&names->mimic->names[i], kind, reference)) {
            return true;
        }
    }
    return false;
}

void leaf_names_decide(struct leaf_names *out, struct mimic *mimic, enum mimic_name_kind required_kind,
                       struct mg_slice required, leaf_names_keep *keep, void *keep_arg)
{
    *out = (struct leaf_names){.mimic = mimic};
    if (keep != NULL) {
        drop_names(out, keep, keep_arg);
    }
    if (required.len > 0 && !kept_names_cover(out, required_kind, required)) {
        out->added_kind = required_kind;
        out->added = required;
    }
}
