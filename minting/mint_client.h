/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A thread's own connection to the signer (wire/signer.h), over which it has leaves signed, and what the appliance
 * proves itself by as a TLS client. It never blocks and takes no lock: everything about it is called from its one
 * thread, which is registered and online with RCU and whose event loop watches mint_client_fd for EPOLLIN and calls
 * mint_client_process when it is ready or mint_client_next_timeout_ns has come.
 *
 *   disconnected ──connect──► greeting ──ISSUERS──► ready ──SIGN, CLIENT_SIGN / SIGNED──► ready
 *        ▲                       │                    │
 *        └──── back-off ─────────┴────────────────────┘  closed, broken, or no ISSUERS in time
 *
 * Engine and signer may start, stop and start again in any order. Jobs wait through it: what was sent and not answered
 * is sent again after the reconnection, byte for byte, for as long as its deadline allows.
 *
 * Times are nanoseconds of mg_clock_monotonic_ns; those of certificates are seconds since 1970.
 */
#ifndef MINTGATE_MINTING_MINT_CLIENT_H
#define MINTGATE_MINTING_MINT_CLIENT_H

#include "base/clock.h"
#include "base/metrics.h"
#include "minting/leaf.h"

#define MINT_CLIENT_MAX_JOBS 65536
/* After a failed connection the next is tried after the first, twice that, and so on up to the last. */
#define MINT_CLIENT_FIRST_BACKOFF_NS (50 * MG_NS_PER_MS)
#define MINT_CLIENT_LAST_BACKOFF_NS (2 * MG_NS_PER_SECOND)
/* A signer that sends no ISSUERS within this time is given up. */
#define MINT_CLIENT_GREETING_TIMEOUT_NS (5 * MG_NS_PER_SECOND)
/* After the signer said that it is busy, nothing for that key is sent for this time. */
#define MINT_CLIENT_BUSY_PAUSE_NS (10 * MG_NS_PER_MS)
/* How often jobs under way are looked through for those that nobody wants any more. */
#define MINT_CLIENT_SWEEP_NS (100 * MG_NS_PER_MS)

struct mint_client;

enum mint_result {
    MINT_OK = 0,
    MINT_REFUSED,       /* by the signer, for the reason in |refusal|: final */
    MINT_TIMED_OUT,     /* no answer, or no signer, before the deadline */
    MINT_BAD_SIGNATURE, /* what came back is not the issuer's signature */
    MINT_NO_MEMORY,
    MINT_SHUT_DOWN, /* the client was freed */
    MINT_CANCELLED, /* nobody wanted it any more */
};
#define MINT_NUM_RESULTS 7

/* mint_result_name returns a static word such as "timed_out". */
const char *mint_result_name(enum mint_result result);

/* struct mint_outcome is how a job ended. */
struct mint_outcome {
    enum mint_result result;
    enum wire_sign_status refusal; /* with MINT_REFUSED */
    struct leaf *leaf;             /* with MINT_OK of a mint_job: one reference, the receiver's (for cache_publish) */
    struct mg_slice signature;     /* with MINT_OK of a mint_proof: borrowed for the call */
};

/* mint_done is called once for each job that was accepted, from mint_client_process or mint_client_free, never from
 * mint_client_submit. It may submit jobs, but not during mint_client_free, and call nothing else of the client. */
typedef void mint_done(void *arg, const struct mint_outcome *outcome);
typedef bool mint_wanted(void *arg);

struct mint_client_options {
    const char *socket_path;      /* of the signer's socket for engines; copied */
    struct leaf_keys *leaf_keys;  /* outlives the client */
    size_t max_jobs;              /* 1 to MINT_CLIENT_MAX_JOBS: waiting and in flight together */
    uint64_t timeout_ns;          /* from submission to outcome; at least 1 ms */
    int64_t max_validity_seconds; /* of leaves; at least 1 */
};

struct mint_client_callbacks {
    /* Called from mint_client_process with what the signer says whenever it says it: after each connection and when
     * its issuers change. |issuers| is borrowed for the call. */
    void (*issuers)(void *arg, const struct wire_issuers *issuers);
    void *arg;
};

/* All written by the client's thread, read by metrics. */
struct mint_client_counters {
    struct mg_counter requested;        /* jobs for leaves accepted */
    struct mg_counter minted;           /* leaves made */
    struct mg_counter proofs_requested; /* jobs for proofs accepted */
    struct mg_counter proofs_signed;
    struct mg_counter refused[WIRE_SIGN_NUM_STATUSES]; /* results other than ok; busy ones are tried again */
    struct mg_counter timed_out;
    struct mg_counter bad_signatures;
    struct mg_counter cancelled;       /* jobs that nobody wanted any more */
    struct mg_counter full;            /* jobs not accepted: max_jobs */
    struct mg_counter connections;     /* that became ready */
    struct mg_counter lost;            /* connections that ended, from whatever state */
    struct mg_counter protocol_errors; /* of those: the signer sent what does not decode */
    struct mg_counter resent;          /* jobs sent again after a lost connection */
    struct mg_counter dropped_replies; /* late, repeated or unknown */
    struct mg_counter packets;         /* SIGN and CLIENT_SIGN packets sent */
};

/* mint_client_new makes a client, which connects in its first mint_client_process. |options| and |callbacks| are
 * copied. MG_INVALID with the option that is out of range; MG_IO; MG_MEMORY. */
MG_MUST_USE enum mg_status mint_client_new(struct mint_client **out, const struct mint_client_options *options,
                                           const struct mint_client_callbacks *callbacks, struct mg_error *error);

/* mint_client_free ends all jobs with MINT_SHUT_DOWN, closes the connection and frees the client (NULL is fine). */
void mint_client_free(struct mint_client *client);

/* mint_client_fd returns the descriptor to watch for EPOLLIN. It stays the same for the client's whole life, through
 * all connections; the client owns it. */
int mint_client_fd(const struct mint_client *client);

/* mint_client_next_timeout_ns returns when mint_client_process is to be called at the latest; UINT64_MAX: no need. It
 * may be early. */
uint64_t mint_client_next_timeout_ns(const struct mint_client *client);

/* mint_client_is_ready tells whether a signer is connected and has named its issuers. */
bool mint_client_is_ready(const struct mint_client *client);

/* struct mint_job is what to mint. All is borrowed for the call of mint_client_submit. */
struct mint_job {
    struct issuer *issuer;
    const struct leaf_names *names;
    enum leaf_key_type key_type;
    int64_t now; /* seconds since 1970 */
    mint_done *done;
    /* If not NULL: tells whether the leaf is still wanted. Where it is not, the job ends within MINT_CLIENT_SWEEP_NS or
     * two, and the signer is told. From mint_client_process; calls nothing of the client. */
    mint_wanted *is_wanted;
    void *arg;   /* of both */
    bool verify; /* check the signature, also behind the first good one of the connection */
};

/*
 * mint_client_submit assembles the leaf's TBSCertificate and queues it; mint_client_flush sends it.
 *
 * MG_LIMIT: |max_jobs| are under way (counted), or the leaf is too large. MG_DENIED, MG_INVALID: as leaf_tbs_build.
 * On any error |done| is not called.
 */
MG_MUST_USE enum mg_status mint_client_submit(struct mint_client *client, const struct mint_job *job, uint64_t now_ns,
                                              struct mg_error *error);

/* struct mint_proof is what to have signed as a TLS client (struct wire_client_sign). All is borrowed for the call of
 * mint_client_submit_proof; |done|, |is_wanted| and |arg| are as in struct mint_job. */
struct mint_proof {
    struct wire_key_id key_id;
    uint16_t scheme;
    struct mg_slice content;
    mint_done *done;
    mint_wanted *is_wanted;
    void *arg;
};

/* mint_client_submit_proof queues it, among the leaves and within the same bounds of number and time. What comes back
 * is not verified: the server does that.
 *
 * MG_LIMIT: |max_jobs| are under way (counted). MG_INVALID: the content is not of 1 to WIRE_SIGNER_MAX_CONTENT bytes.
 * MG_MEMORY. On any error |done| is not called. */
MG_MUST_USE enum mg_status mint_client_submit_proof(struct mint_client *client, const struct mint_proof *proof,
                                                    uint64_t now_ns, struct mg_error *error);

/* mint_client_flush sends what was submitted, in as few packets as it fits into. Call it once after a burst of
 * submissions. What the socket does not take goes out later, from mint_client_process. */
void mint_client_flush(struct mint_client *client, uint64_t now_ns);

/* mint_client_process connects, receives, sends, and ends jobs whose time is up, as far as each is due, without
 * waiting for anything. */
void mint_client_process(struct mint_client *client, uint64_t now_ns);

/* mint_client_counters returns the client's counters, which live as long as the client. Any thread may read. */
const struct mint_client_counters *mint_client_counters(const struct mint_client *client);

#endif
