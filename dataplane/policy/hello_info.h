/* SPDX-License-Identifier: Apache-2.0 */
/* What the engine keeps of a ClientHello: by value, so that it can go from a worker to a session thread. */
#ifndef MINTGATE_DATAPLANE_POLICY_HELLO_INFO_H
#define MINTGATE_DATAPLANE_POLICY_HELLO_INFO_H

#include <stdbool.h>

#include "dataplane/hello/client_hello.h"
#include "dataplane/hello/ja4.h"
#include "minting/names.h"

#define HELLO_INFO_MAX_ALPN 256

struct hello_info {
    enum dns_name_verdict sni_verdict; /* of a server name that was sent */
    struct dns_name sni;               /* empty: none, or an address */
    uint16_t min_version;
    uint16_t max_version;
    bool has_ech;
    bool takes_ecdsa_tls12; /* can verify an ECDSA P-256 leaf in TLS 1.2 */
    bool takes_ecdsa_tls13;
    uint32_t message_len; /* of the handshake message */
    uint16_t alpn_len;
    uint8_t alpn[HELLO_INFO_MAX_ALPN]; /* as on the wire: protocols behind their length; cut at a whole one */
    struct ja4 ja4;
};

/* hello_info_of keeps what is needed of |hello|, the parsed |message|. Returns false where the server name is none that
 * a host can have. */
MG_MUST_USE bool hello_info_of(struct hello_info *out, const struct client_hello *hello, CBS message);

static inline struct mg_slice hello_info_sni(const struct hello_info *info)
{
    return dns_name_slice(&info->sni);
}

#endif
