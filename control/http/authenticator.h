/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who may come in: logins and token requests checked against the stored credentials, brute force slowed, and the
 * sessions and tokens that stand for them afterwards. One for the whole control plane. Any thread.
 *
 * Every login and token request: MG_OK; MG_DENIED, the credentials are wrong, disabled or used up, whichever (a client
 * is not told); MG_LIMIT, too many failures, |retry_after| says for how long; MG_AGAIN, try later: a bound of ours is
 * full, or the database is locked. What a client may be told is the status; the error's text is for the log.
 */
#ifndef MINTGATE_CONTROL_HTTP_AUTHENTICATOR_H
#define MINTGATE_CONTROL_HTTP_AUTHENTICATOR_H

#include <sqlite3.h>

#include "base/buffer.h"
#include "control/http/identity.h"
#include "control/http/reach.h"
#include "control/http/tickets.h"

/* How many passwords are hashed at one time, since each takes 32 MiB, and how long a login waits for its turn. */
#define AUTHENTICATOR_HASHES 2
#define AUTHENTICATOR_MAX_WAIT_SECONDS 5

/* Assertions whose id was seen, until they expire; when full, further ones are MG_AGAIN. */
#define AUTHENTICATOR_MAX_ASSERTIONS 4096

/* What others do about logins. Each may be NULL, and is called without a lock of the authenticator's. */
struct authenticator_hooks {
    void *arg;
    /* use_up takes a one-time password away (credentials_use_up) and writes the audit record of that, in one
     * transaction. NULL: it is taken away on |db|, without a record. */
    enum mg_status (*use_up)(void *arg, const struct http_caller *caller, const char *user, struct mg_error *error);
    /* denied is told of each login and token request whose credentials were wrong; |who| is "user:NAME" or "client:ID"
     * of one that exists, else "": a name that nobody has may be a password typed into the wrong field. */
    void (*denied)(void *arg, const struct http_caller *caller, const char *who);
};

struct authenticator_config {
    /* A connection of its own to the database that holds the tables of credentials.h: the authenticator's lock alone
     * guards it. With a busy timeout. Borrowed. */
    sqlite3 *db;
    struct authenticator_hooks hooks;
    const char *first_credential_file; /* removed when its credential is used up; NULL: there is none. Borrowed. */
    const char *const *audiences;      /* of assertions, ended by NULL; borrowed */
};

struct authenticator;

MG_MUST_USE enum mg_status authenticator_new(struct authenticator **out, const struct authenticator_config *config,
                                             struct mg_error *error);
void authenticator_free(struct authenticator *authenticator);

/* What a login gives. The caller wipes it. */
struct authenticator_grant {
    char ticket[TICKET_TEXT_LEN]; /* a session's id or a bearer token */
    struct http_identity identity;
    uint64_t retry_after; /* seconds, with MG_LIMIT */
};

struct authenticator_login {
    const char *user;
    struct mg_slice password;
    /* For the ZIA family's legacy login; |obfuscated_key.data| NULL: a login by password alone. */
    struct mg_slice obfuscated_key;
    int64_t timestamp_ms;
    unsigned reach; /* the families in which the session counts (reach.h) */
};

/* authenticator_login checks a user's password, and the API key if there is one, and makes a session. A user whose
 * password was for one login only has none afterwards; within the session it can set one. */
MG_MUST_USE enum mg_status authenticator_login(struct authenticator *authenticator, const struct http_caller *caller,
                                               const struct authenticator_login *login,
                                               struct authenticator_grant *grant, struct mg_error *error);

/* authenticator_verify tells whose |user| and |password| are, for clients that send both with each request (RFC 7617);
 * it costs as much as a login each time. authenticator_token_by_password makes a bearer token of them (RFC 6749 section
 * 4.3), which counts in the families of |reach|. A password for one login only is MG_DENIED, and stays: it is for
 * logins where it can be changed. */
MG_MUST_USE enum mg_status authenticator_verify(struct authenticator *authenticator, const struct http_caller *caller,
                                                const char *user, struct mg_slice password, struct http_identity *out,
                                                struct mg_error *error);
MG_MUST_USE enum mg_status authenticator_token_by_password(struct authenticator *authenticator,
                                                           const struct http_caller *caller, const char *user,
                                                           struct mg_slice password, unsigned reach,
                                                           struct authenticator_grant *grant, struct mg_error *error);

/* authenticator_token_by_secret and authenticator_token_by_assertion make a bearer token for an OAuth2 client, which
 * counts in that client's families. |id| may
 * be NULL with an assertion, which names the client itself; else they must agree. An assertion with a `jti` counts
 * once; the vendor's clients send none (docs/adr/0017-http-server.md). */
MG_MUST_USE enum mg_status authenticator_token_by_secret(struct authenticator *authenticator,
                                                         const struct http_caller *caller, const char *id,
                                                         struct mg_slice secret, struct authenticator_grant *grant,
                                                         struct mg_error *error);
MG_MUST_USE enum mg_status authenticator_token_by_assertion(struct authenticator *authenticator,
                                                            const struct http_caller *caller, const char *id,
                                                            struct mg_slice text, struct authenticator_grant *grant,
                                                            struct mg_error *error);

/* authenticator_identify tells whose session or token |text| is: MG_DENIED, nobody's, one that does not count in the
 * family |reach|, or of a credential that was changed, disabled or removed since; MG_AGAIN, MG_IO: the database cannot
 * be asked. */
MG_MUST_USE enum mg_status authenticator_identify(struct authenticator *authenticator, const struct http_caller *caller,
                                                  enum ticket_kind kind, struct mg_slice text, unsigned reach,
                                                  struct http_identity *out, struct mg_error *error);

/* authenticator_end ends a session or token. */
void authenticator_end(struct authenticator *authenticator, enum ticket_kind kind, struct mg_slice text);

/* authenticator_metrics appends logins by result, the numbers of sessions and tokens, and the bounds that were hit. */
void authenticator_metrics(struct authenticator *authenticator, uint64_t now_ns, struct mg_buffer *out);

#endif
