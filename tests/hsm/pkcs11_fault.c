/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A PKCS#11 module for tests that stands in front of another one and misbehaves when it is told to.
 *
 *   MINTGATE_FAULT_MODULE  path of the module behind it
 *   MINTGATE_FAULT_FILE    what to do; read at each call, so that a test can change it while the token is in use
 *
 * Where the first is not set both are in the directory in which this module was found, as real.so and faults: links to
 * it in several directories are modules of which each fails for itself. SoftHSM2 then finds its own configuration there
 * too, as softhsm2.conf.
 *
 * The lines of the file:
 *
 *     FUNCTION delay MS   call the real one MS milliseconds later
 *     FUNCTION fail RV    return RV (hexadecimal) instead
 *     FUNCTION hang       never return
 *     FUNCTION crash      write to address zero
 *     FUNCTION wrong      call the real one and flip a bit of the signature (C_Sign)
 *     FUNCTION flags F    set these flags, hexadecimal, in CK_TOKEN_INFO (C_GetTokenInfo)
 *     CKA_TYPE set N      say of this attribute, both hexadecimal, that it is N (C_GetAttributeValue)
 *
 * Each C_Login adds a byte to the file named like that one with ".logins" behind, so that a test can count them.
 */
#include <dlfcn.h>
#include <fcntl.h>
#include <limits.h>
#include <p11-kit/pkcs11.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

CK_RV C_GetFunctionList(CK_FUNCTION_LIST **list);

static CK_FUNCTION_LIST *real;
static CK_FUNCTION_LIST patched;
static char module_path[PATH_MAX], fault_path[PATH_MAX];

struct fault {
    char action[16];
    unsigned long number;
};

/* find_fault reads what |function| is to do. */
static struct fault find_fault(const char *function)
{
    struct fault none = {.action = ""};
    FILE *file = fopen(fault_path, "re");
    char line[128];
    while (file != NULL && fgets(line, sizeof(line), file) != NULL) {
        struct fault fault = none;
        char name[64], number[32] = "0";
        if (sscanf(line, "%63s %15s %31s", name, fault.action, number) >= 2 && strcmp(name, function) == 0) {
            fault.number = strtoul(number, NULL, strcmp(fault.action, "delay") == 0 ? 10 : 16);
            fclose(file);
            return fault;
        }
    }
    if (file != NULL) {
        fclose(file);
    }
    return none;
}

/* misbehave does what |fault| says before the real call; true: return *rv instead of making it. */
static int misbehave(const struct fault *fault, CK_RV *rv)
{
    if (strcmp(fault->action, "delay") == 0) {
        nanosleep(&(struct timespec){.tv_sec = (time_t)(fault->number / 1000),
                                     .tv_nsec = (long)(fault->number % 1000) * 1000000},
                  NULL);
    } else if (strcmp(fault->action, "hang") == 0) {
        for (;;) {
            pause();
        }
    } else if (strcmp(fault->action, "crash") == 0) {
        (void)signal(SIGSEGV, SIG_DFL); /* a sanitizer would handle it */
        kill(getpid(), SIGSEGV);
        pause();
    } else if (strcmp(fault->action, "fail") == 0) {
        *rv = fault->number;
        return 1;
    }
    return 0;
}

static CK_RV initialize(void *args)
{
    CK_RV rv;
    struct fault fault = find_fault("C_Initialize");
    return misbehave(&fault, &rv) ? rv : real->C_Initialize(args);
}

static CK_RV open_session(CK_SLOT_ID slot, CK_FLAGS flags, void *application, CK_NOTIFY notify, CK_SESSION_HANDLE *out)
{
    CK_RV rv;
    struct fault fault = find_fault("C_OpenSession");
    return misbehave(&fault, &rv) ? rv : real->C_OpenSession(slot, flags, application, notify, out);
}

static void count_login(void)
{
    char path[PATH_MAX + sizeof(".logins")];
    if (fault_path[0] == '\0') {
        return;
    }
    snprintf(path, sizeof(path), "%s.logins", fault_path);
    int fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if (fd >= 0) {
        (void)!write(fd, "x", 1);
        close(fd);
    }
}

static CK_RV login(CK_SESSION_HANDLE session, CK_USER_TYPE user, unsigned char *pin, unsigned long pin_len)
{
    CK_RV rv;
    struct fault fault = find_fault("C_Login");
    count_login();
    return misbehave(&fault, &rv) ? rv : real->C_Login(session, user, pin, pin_len);
}

static CK_RV get_token_info(CK_SLOT_ID slot, CK_TOKEN_INFO *info)
{
    CK_RV rv;
    struct fault fault = find_fault("C_GetTokenInfo");
    if (misbehave(&fault, &rv)) {
        return rv;
    }
    rv = real->C_GetTokenInfo(slot, info);
    if (rv == CKR_OK && strcmp(fault.action, "flags") == 0) {
        info->flags |= fault.number;
    }
    return rv;
}

static CK_RV get_session_info(CK_SESSION_HANDLE session, CK_SESSION_INFO *info)
{
    CK_RV rv;
    struct fault fault = find_fault("C_GetSessionInfo");
    return misbehave(&fault, &rv) ? rv : real->C_GetSessionInfo(session, info);
}

/* lie overwrites the value of |attribute| if it is to be another. */
static void lie(CK_ATTRIBUTE *attribute)
{
    char name[32];
    snprintf(name, sizeof(name), "CKA_%lx", attribute->type);
    struct fault fault = find_fault(name);
    if (strcmp(fault.action, "set") != 0 || attribute->pValue == NULL) {
        return;
    }
    if (attribute->ulValueLen == sizeof(CK_BBOOL)) {
        *(CK_BBOOL *)attribute->pValue = (CK_BBOOL)fault.number;
    } else if (attribute->ulValueLen == sizeof(CK_ULONG)) {
        memcpy(attribute->pValue, &(CK_ULONG){fault.number}, sizeof(CK_ULONG));
    }
}

static CK_RV get_attribute_value(CK_SESSION_HANDLE session, CK_OBJECT_HANDLE object, CK_ATTRIBUTE *attributes,
                                 unsigned long count)
{
    CK_RV rv = real->C_GetAttributeValue(session, object, attributes, count);
    for (unsigned long i = 0; rv == CKR_OK && i < count; i++) {
        lie(&attributes[i]);
    }
    return rv;
}

static CK_RV sign(CK_SESSION_HANDLE session, unsigned char *data, unsigned long data_len, unsigned char *signature,
                  unsigned long *signature_len)
{
    CK_RV rv;
    struct fault fault = find_fault("C_Sign");
    if (misbehave(&fault, &rv)) {
        /* a real token ends the operation with the error */
        (void)real->C_Sign(session, data, data_len, signature, signature_len);
        return rv;
    }
    rv = real->C_Sign(session, data, data_len, signature, signature_len);
    if (rv == CKR_OK && signature != NULL && strcmp(fault.action, "wrong") == 0) {
        signature[*signature_len / 2] ^= 1;
    }
    return rv;
}

static CK_RV generate_key_pair(CK_SESSION_HANDLE session, CK_MECHANISM *mechanism, CK_ATTRIBUTE *public_part,
                               unsigned long num_public, CK_ATTRIBUTE *private_part, unsigned long num_private,
                               CK_OBJECT_HANDLE *public_key, CK_OBJECT_HANDLE *private_key)
{
    CK_RV rv;
    struct fault fault = find_fault("C_GenerateKeyPair");
    return misbehave(&fault, &rv) ? rv
                                  : real->C_GenerateKeyPair(session, mechanism, public_part, num_public, private_part,
                                                            num_private, public_key, private_key);
}

static CK_RV get_function_list(CK_FUNCTION_LIST **list)
{
    return C_GetFunctionList(list);
}

/* find_paths says where the module behind this one is, and what to do. */
static void find_paths(void)
{
    Dl_info self;
    char conf[PATH_MAX];
    const char *module = getenv("MINTGATE_FAULT_MODULE"), *faults = getenv("MINTGATE_FAULT_FILE");
    if (module != NULL) {
        snprintf(module_path, sizeof(module_path), "%s", module);
        snprintf(fault_path, sizeof(fault_path), "%s", faults != NULL ? faults : "");
    } else if (dladdr(&real, &self) != 0 && strrchr(self.dli_fname, '/') != NULL) {
        int len = (int)(strrchr(self.dli_fname, '/') - self.dli_fname);
        snprintf(module_path, sizeof(module_path), "%.*s/real.so", len, self.dli_fname);
        snprintf(fault_path, sizeof(fault_path), "%.*s/faults", len, self.dli_fname);
        snprintf(conf, sizeof(conf), "%.*s/softhsm2.conf", len, self.dli_fname);
        setenv("SOFTHSM2_CONF", conf, 1);
    }
}

__attribute__((visibility("default"))) CK_RV C_GetFunctionList(CK_FUNCTION_LIST **list)
{
    find_paths();
    void *library = dlopen(module_path, RTLD_NOW | RTLD_LOCAL);
    void *symbol = library != NULL ? dlsym(library, "C_GetFunctionList") : NULL;
    CK_C_GetFunctionList get_real;
    memcpy(&get_real, &symbol, sizeof(symbol));
    if (symbol == NULL || get_real(&real) != CKR_OK) {
        return CKR_GENERAL_ERROR;
    }
    patched = *real;
    patched.C_GetFunctionList = get_function_list;
    patched.C_Initialize = initialize;
    patched.C_OpenSession = open_session;
    patched.C_Login = login;
    patched.C_GetTokenInfo = get_token_info;
    patched.C_GetSessionInfo = get_session_info;
    patched.C_GetAttributeValue = get_attribute_value;
    patched.C_Sign = sign;
    patched.C_GenerateKeyPair = generate_key_pair;
    *list = &patched;
    return CKR_OK;
}
