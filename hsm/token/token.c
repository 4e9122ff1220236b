/* SPDX-License-Identifier: Apache-2.0 */
#include "hsm/token/token.h"

#include <dlfcn.h>
#include <libp11.h>
#include <p11-kit/uri.h>

#include "base/utf8.h"

/* Texts of PKCS#11 are padded with blanks (section 3.2); what is no UTF-8 becomes empty. */
static struct mg_slice keep_text(char out[WIRE_TOKEN_MAX_LABEL + 1], const unsigned char *padded, size_t len)
{
    while (len > 0 && (padded[len - 1] == ' ' || padded[len - 1] == '\0')) {
        len--;
    }
    memcpy(out, padded, len);
    out[len] = '\0';
    struct mg_slice text = mg_slice_of(out, len);
    return mg_utf8_is_label(text) ? text : mg_slice_of(out, 0);
}

#define KEEP(token, index, field) keep_text((token)->texts[index], field, sizeof(field))

/* The module */

static enum wire_token_status load_module(struct token *token, const char *path, struct token_error *error)
{
    void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (library == NULL) {
        return token_error_set(error, WIRE_TOKEN_NO_MODULE, CKR_OK, "%s", dlerror());
    }
    void *symbol = dlsym(library, "C_GetFunctionList");
    CK_C_GetFunctionList get_functions;
    _Static_assert(sizeof(get_functions) == sizeof(symbol), "a function's address fits a pointer (dlsym(3))");
    memcpy(&get_functions, &symbol, sizeof(symbol));
    if (symbol == NULL) {
        return token_error_set(error, WIRE_TOKEN_NO_MODULE, CKR_OK, "%s: has no C_GetFunctionList", path);
    }
    CK_RV rv = get_functions(&token->functions);
    if (rv != CKR_OK) {
        return token_error_set(error, WIRE_TOKEN_NO_MODULE, rv, "%s: C_GetFunctionList", path);
    }
    CK_C_INITIALIZE_ARGS threads = {.flags = CKF_OS_LOCKING_OK};
    rv = token->functions->C_Initialize(&threads);
    if (rv != CKR_OK) {
        return token_error_set(error, WIRE_TOKEN_NO_MODULE, rv, "%s: C_Initialize", path);
    }
    return WIRE_TOKEN_OK;
}

static enum wire_token_status read_module(struct token *token, struct token_error *error)
{
    CK_INFO info;
    CK_RV rv = token->functions->C_GetInfo(&info);
    if (rv != CKR_OK) {
        return token_error_set(error, WIRE_TOKEN_NO_MODULE, rv, "C_GetInfo");
    }
    token->identity.module = KEEP(token, 0, info.libraryDescription);
    token->identity.module_maker = KEEP(token, 1, info.manufacturerID);
    token->identity.module_version[0] = info.libraryVersion.major;
    token->identity.module_version[1] = info.libraryVersion.minor;
    return WIRE_TOKEN_OK;
}

/* The token */

/* struct wanted is what a token must be: |uri|, or where that is NULL of this label. */
struct wanted {
    P11KitUri *uri;
    const char *label;
};

static bool is_wanted(const struct token *token, const struct wanted *wanted, PKCS11_SLOT *slot)
{
    CK_TOKEN_INFO info;
    if (wanted->uri == NULL) {
        return strcmp(slot->token->label, wanted->label) == 0;
    }
    return token->functions->C_GetTokenInfo(PKCS11_get_slotid_from_slot(slot), &info) == CKR_OK &&
           p11_kit_uri_match_token_info(wanted->uri, &info) == 1;
}

/* find_slot finds the one slot whose token is wanted: with two of them, keys would be made now here and now there. */
static enum wire_token_status find_slot(const struct token *token, const struct wanted *wanted, PKCS11_SLOT *slots,
                                        unsigned num_slots, PKCS11_SLOT **out, struct token_error *error)
{
    *out = NULL;
    for (unsigned i = 0; i < num_slots; i++) {
        if (slots[i].token == NULL || !slots[i].token->initialized || !is_wanted(token, wanted, &slots[i])) {
            continue;
        }
        if (*out != NULL) {
            return token_error_set(error, WIRE_TOKEN_NO_TOKEN, CKR_OK,
                                   "token: several of the module's tokens answer to this name; use a URI with a serial "
                                   "number");
        }
        *out = &slots[i];
    }
    return *out != NULL ? WIRE_TOKEN_OK
                        : token_error_set(error, WIRE_TOKEN_NO_TOKEN, CKR_OK,
                                          "token: none of the module's %u slots has a token of this name", num_slots);
}

static enum wire_token_status parse_name(const char *name, struct wanted *out, struct token_error *error)
{
    *out = (struct wanted){.label = name};
    if (strncmp(name, "pkcs11:", strlen("pkcs11:")) != 0) {
        return WIRE_TOKEN_OK;
    }
    out->uri = p11_kit_uri_new();
    int result = out->uri != NULL ? p11_kit_uri_parse(name, P11_KIT_URI_FOR_TOKEN, out->uri) : P11_KIT_URI_UNEXPECTED;
    if (result != P11_KIT_URI_OK) {
        return token_error_set(error, WIRE_TOKEN_NO_TOKEN, CKR_OK, "token: %s", p11_kit_uri_message(result));
    }
    if (p11_kit_uri_any_unrecognized(out->uri) || p11_kit_uri_get_pin_value(out->uri) != NULL ||
        p11_kit_uri_get_pin_source(out->uri) != NULL) {
        return token_error_set(error, WIRE_TOKEN_NO_TOKEN, CKR_OK,
                               "token: a URI may name token, serial, manufacturer and model, and no PIN");
    }
    return WIRE_TOKEN_OK;
}

/* may_log_in refuses where a wrong PIN could lock the token (CK_TOKEN_INFO, flags). */
static enum wire_token_status may_log_in(const PKCS11_TOKEN *found, struct token_error *error)
{
    if (found->userPinLocked) {
        return token_error_set(error, WIRE_TOKEN_PIN_LOCKED, CKR_OK, "the token's user PIN is locked");
    }
    if (found->userPinFinalTry) {
        return token_error_set(error, WIRE_TOKEN_PIN_LAST_TRY, CKR_OK,
                               "one wrong PIN more would lock the token: log in once with the vendor's tool");
    }
    return WIRE_TOKEN_OK;
}

static enum wire_token_status find(struct token *token, const char *module, const char *name, struct token_error *error)
{
    struct wanted wanted;
    PKCS11_SLOT *slots, *slot;
    unsigned num_slots;
    enum wire_token_status status = parse_name(name, &wanted, error);
    if (status != WIRE_TOKEN_OK) {
        return status;
    }
    PKCS11_CTX *context = PKCS11_CTX_new(); /* kept: to let go of its slots would close every session */
    if (context == NULL || PKCS11_CTX_load(context, module) != 0 ||
        PKCS11_enumerate_slots(context, &slots, &num_slots) != 0) {
        return token_error_set(error, WIRE_TOKEN_NO_MODULE, CKR_OK, "libp11: %s",
                               ERR_reason_error_string(ERR_peek_last_error()));
    }
    status = find_slot(token, &wanted, slots, num_slots, &slot, error);
    p11_kit_uri_free(wanted.uri);
    if (status == WIRE_TOKEN_OK) {
        token->slot = PKCS11_get_slotid_from_slot(slot);
        status = may_log_in(slot->token, error);
    }
    return status;
}

static enum wire_token_status read_slot(struct token *token, struct token_error *error)
{
    CK_SLOT_INFO info;
    CK_RV rv = token->functions->C_GetSlotInfo(token->slot, &info);
    if (rv != CKR_OK) {
        return token_error_set(error, WIRE_TOKEN_NO_TOKEN, rv, "C_GetSlotInfo");
    }
    token->identity.is_hardware_slot = (info.flags & CKF_HW_SLOT) != 0;
    return WIRE_TOKEN_OK;
}

static enum wire_token_status read_token(struct token *token, struct token_error *error)
{
    CK_TOKEN_INFO info;
    CK_RV rv = token->functions->C_GetTokenInfo(token->slot, &info);
    if (rv != CKR_OK) {
        return token_error_set(error, WIRE_TOKEN_NO_TOKEN, rv, "C_GetTokenInfo");
    }
    token->identity.label = KEEP(token, 2, info.label);
    token->identity.maker = KEEP(token, 3, info.manufacturerID);
    token->identity.model = KEEP(token, 4, info.model);
    token->identity.serial = KEEP(token, 5, info.serialNumber);
    token->identity.hardware_version[0] = info.hardwareVersion.major;
    token->identity.hardware_version[1] = info.hardwareVersion.minor;
    token->identity.firmware_version[0] = info.firmwareVersion.major;
    token->identity.firmware_version[1] = info.firmwareVersion.minor;
    bool says = info.ulMaxSessionCount != CK_UNAVAILABLE_INFORMATION && info.ulMaxSessionCount != 0;
    token->max_sessions = says ? info.ulMaxSessionCount : WIRE_TOKEN_MAX_SESSIONS + 1;
    return WIRE_TOKEN_OK;
}

static enum wire_token_status log_in(struct token *token, const char *pin, struct token_error *error)
{
    enum wire_token_status status = token_new_session(token, &token->session, error);
    if (status != WIRE_TOKEN_OK) {
        return status;
    }
    char copy[TOKEN_MAX_PIN + 1] = {0};
    size_t len = strnlen(pin, TOKEN_MAX_PIN);
    memcpy(copy, pin, len); /* C_Login takes what is not const */
    CK_RV rv = token->functions->C_Login(token->session, CKU_USER, (unsigned char *)copy, len);
    OPENSSL_cleanse(copy, sizeof(copy));
    switch (rv) {
    case CKR_OK:
    case CKR_USER_ALREADY_LOGGED_IN:
        return WIRE_TOKEN_OK;
    case CKR_PIN_LOCKED:
        return token_error_set(error, WIRE_TOKEN_PIN_LOCKED, rv, "C_Login");
    case CKR_PIN_INCORRECT:
    case CKR_PIN_INVALID:
    case CKR_PIN_LEN_RANGE:
    case CKR_PIN_EXPIRED:
    case CKR_USER_PIN_NOT_INITIALIZED:
        return token_error_set(error, WIRE_TOKEN_PIN_WRONG, rv, "C_Login");
    default:
        return token_error_set(error, WIRE_TOKEN_FAILED, rv, "C_Login");
    }
}

enum wire_token_status token_open(struct token *token, const char *module, const char *name, const char *pin,
                                  struct token_error *error)
{
    *token = (struct token){.functions = NULL};
    enum wire_token_status status = load_module(token, module, error);
    if (status == WIRE_TOKEN_OK) {
        status = read_module(token, error);
    }
    if (status == WIRE_TOKEN_OK) {
        status = find(token, module, name, error);
    }
    if (status == WIRE_TOKEN_OK) {
        status = read_slot(token, error);
    }
    if (status == WIRE_TOKEN_OK) {
        status = read_token(token, error);
    }
    return status == WIRE_TOKEN_OK ? log_in(token, pin, error) : status;
}

enum wire_token_status token_new_session(const struct token *token, CK_SESSION_HANDLE *out, struct token_error *error)
{
    CK_RV rv = token->functions->C_OpenSession(token->slot, CKF_SERIAL_SESSION | CKF_RW_SESSION, NULL, NULL, out);
    return rv == CKR_OK ? WIRE_TOKEN_OK : token_error_set(error, WIRE_TOKEN_FAILED, rv, "C_OpenSession");
}

enum wire_token_status token_check(const struct token *token, struct token_error *error)
{
    CK_TOKEN_INFO token_info;
    CK_SESSION_INFO session_info;
    CK_RV rv = token->functions->C_GetTokenInfo(token->slot, &token_info);
    if (rv != CKR_OK) {
        return token_error_set(error, WIRE_TOKEN_FAILED, rv, "C_GetTokenInfo");
    }
    rv = token->functions->C_GetSessionInfo(token->session, &session_info);
    if (rv == CKR_OK && session_info.state != CKS_RW_USER_FUNCTIONS) {
        rv = CKR_USER_NOT_LOGGED_IN;
    }
    return rv == CKR_OK ? WIRE_TOKEN_OK : token_error_set(error, WIRE_TOKEN_FAILED, rv, "C_GetSessionInfo");
}
