/* SPDX-License-Identifier: Apache-2.0 */
/* Backup, through control, and restore, which does without: control's state is what is missing. */
#include "control/backup/backup.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/secret.h"
#include "base/unix_socket.h"
#include "control/backup/restore.h"
#include "control/ctl/api.h"
#include "control/ctl/commands.h"
#include "control/ctl/secret_input.h"
#include "control/ctl/table.h"

/* Where the state lies, and what |paths| borrows. */
struct places {
    const struct config *config;
    struct backup_paths paths;
    char keys[PATH_MAX], lock[PATH_MAX];
};

/* places_of follows the configuration as the signer does (hsm/signer_config.c). */
static enum mg_status places_of(struct ctl *ctl, struct places *out, struct mg_error *error)
{
    if (ctl->url != NULL) {
        return mg_error_set(error, MG_INVALID, "--url: backup and restore are made on the machine itself");
    }
    enum mg_status status = ctl_config(ctl, &out->config, error);
    if (status != MG_OK) {
        return status;
    }
    const struct config_signer *signer = &out->config->signer;
    snprintf(out->keys, sizeof(out->keys), "%s/keys", signer->state_dir);
    snprintf(out->lock, sizeof(out->lock), "%s/lock", signer->state_dir);
    out->paths = (struct backup_paths){
        .database = out->config->control.database,
        .keys = out->keys,
        .key_encryption_key = signer->key_encryption_credential[0] == '\0' ? signer->key_encryption_key : "",
    };
    return MG_OK;
}

static enum mg_status print_manifest(const struct ctl *ctl, const struct manifest *manifest, const char *done,
                                     struct mg_error *error)
{
    struct mg_buffer text;
    char time[MG_CLOCK_TEXT_LEN];
    if (ctl->json) {
        json_t *value = json_pack("{s:I, s:I, s:b}", "made", (json_int_t)manifest->made, "files",
                                  (json_int_t)manifest->num_files, "wrappedKey", manifest->has_wrapped_key);
        enum mg_status status = ctl_print_json(value, error);
        json_decref(value);
        return status;
    }
    table_time(time, manifest->made);
    mg_buffer_init(&text, 1024);
    mg_buffer_append_format(&text, "%s: the database and %zu files of keys, as of %s.\n", done, manifest->num_files - 1,
                            time);
    mg_buffer_append_text(&text, manifest->has_wrapped_key
                                     ? "The key-encryption key is in it, under the passphrase.\n"
                                     : "The key-encryption key is not in it: keep a copy of that apart.\n");
    return ctl_print(&text, error);
}

/* ---- backup ---- */

/* copy_database is a struct backup_request's: control makes the copy. */
static enum mg_status copy_database(void *arg, char path[PATH_MAX], struct mg_error *error)
{
    json_t *answer;
    enum mg_status status = api_ask(arg, "POST", API_MINTGATE "/backup", NULL, &answer, error);
    if (status != MG_OK) {
        return status;
    }
    int len = snprintf(path, PATH_MAX, "%s", ctl_text(answer, "database"));
    json_decref(answer);
    return len > 0 && len < PATH_MAX ? MG_OK : mg_error_set(error, MG_INTERNAL, "the answer names no copy");
}

static enum mg_status make_backup(struct ctl *ctl, const struct places *places, struct mg_slice passphrase,
                                  struct mg_error *error)
{
    static struct manifest manifest; /* large */
    const struct backup_request request = {
        .paths = places->paths,
        .archive = ctl->args[0],
        .passphrase = passphrase,
        .now = mg_clock_wall_seconds(),
        .copy_database = copy_database,
        .arg = ctl,
    };
    enum mg_status status = backup_make(&request, &manifest, error);
    return status == MG_OK ? print_manifest(ctl, &manifest, "Backed up", error) : status;
}

enum mg_status backup_create(struct ctl *ctl, struct mg_error *error)
{
    struct places places;
    char passphrase[SECRET_INPUT_MAX + 1] = "";
    bool wanted = ctl->options[CTL_PASSPHRASE] != NULL;
    enum mg_status status = places_of(ctl, &places, error);
    if (status == MG_OK && wanted) {
        status = secret_input_choose("passphrase of the backup", passphrase, error);
    }
    if (status == MG_OK) {
        status = make_backup(ctl, &places, wanted ? mg_slice_of_text(passphrase) : mg_slice_of(NULL, 0), error);
    }
    mg_secret_wipe(passphrase, sizeof(passphrase));
    /* What is wrong is seldom the command line: no usage behind it. */
    return status == MG_INVALID && ctl->url == NULL ? MG_DENIED : status;
}

/* ---- restore ---- */

static enum mg_status ask_passphrase(void *arg, struct mg_buffer *out, struct mg_error *error)
{
    char passphrase[SECRET_INPUT_MAX + 1];
    (void)arg;
    enum mg_status status = secret_input_read("passphrase of the backup", passphrase, error);
    if (status == MG_OK) {
        mg_buffer_append_text(out, passphrase);
    }
    mg_secret_wipe(passphrase, sizeof(passphrase));
    return status;
}

/* check_silent makes sure that nobody answers at a socket. */
static enum mg_status check_silent(const char *path, int type, const char *who, struct mg_error *error)
{
    int fd;
    enum mg_status status = mg_unix_connect(path, type, &fd, error);
    if (status == MG_OK) {
        close(fd);
        return mg_error_set(error, MG_DENIED, "%s runs: stop it first", who);
    }
    return status == MG_NOT_FOUND ? MG_OK : status;
}

/* lock_signer keeps a signer from starting meanwhile; *fd is -1 where there is no lock yet, and nothing else. */
static enum mg_status lock_signer(const char *path, int *fd, struct mg_error *error)
{
    *fd = open(path, O_RDWR | O_NOFOLLOW | O_CLOEXEC);
    if (*fd < 0) {
        return errno == ENOENT ? MG_OK : mg_error_errno(error, "%s", path);
    }
    if (flock(*fd, LOCK_EX | LOCK_NB) != 0) {
        close(*fd);
        return mg_error_set(error, MG_DENIED, "mintgate-signer runs: stop it first");
    }
    return MG_OK;
}

/* check_stopped: the engine's snapshot belongs to another database, whose epochs it would believe. */
static enum mg_status check_stopped(const struct config *config, struct mg_error *error)
{
    enum mg_status status = check_silent(config->control.socket, SOCK_STREAM, "mintgate-control", error);
    if (status == MG_OK) {
        status = check_silent(config->signer.control_socket, SOCK_SEQPACKET, "mintgate-signer", error);
    }
    if (status == MG_OK && access(config->minting.published, F_OK) == 0) {
        status = mg_error_set(error, MG_EXISTS,
                              "minting.published: %s: is of another installation: stop the engine and remove it",
                              config->minting.published);
    }
    return status;
}

enum mg_status restore_state(struct ctl *ctl, struct mg_error *error)
{
    static struct manifest manifest; /* large */
    struct places places;
    int lock = -1;
    enum mg_status status = places_of(ctl, &places, error);
    if (status == MG_INVALID) {
        return status;
    }
    if (status == MG_OK) {
        status = check_stopped(places.config, error);
    }
    if (status == MG_OK) {
        status = lock_signer(places.lock, &lock, error);
    }
    if (status == MG_OK) {
        const struct restore_request request = {
            .paths = places.paths, .archive = ctl->args[0], .ask_passphrase = ask_passphrase};
        status = restore_run(&request, &manifest, error);
    }
    if (status == MG_OK) {
        status = print_manifest(ctl, &manifest, "Restored", error);
    }
    if (lock >= 0) {
        close(lock);
    }
    return status == MG_INVALID ? MG_DENIED : status; /* the archive, not the command line */
}
