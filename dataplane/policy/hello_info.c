/* SPDX-License-Identifier: Apache-2.0 */
#include "dataplane/policy/hello_info.h"

#include <string.h>

static void copy_alpn(struct hello_info *out, CBS alpn)
{
    CBS protocol;
    while (client_hello_next_alpn(&alpn, &protocol)) {
        size_t len = CBS_len(&protocol);
        if (len + 1 > sizeof(out->alpn) - out->alpn_len) {
            return;
        }
        out->alpn[out->alpn_len++] = (uint8_t)len;
        memcpy(out->alpn + out->alpn_len, CBS_data(&protocol), len);
        out->alpn_len = (uint16_t)(out->alpn_len + len);
    }
}

bool hello_info_of(struct hello_info *out, const struct client_hello *hello, CBS message)
{
    *out = (struct hello_info){
        .min_version = hello->min_version,
        .max_version = hello->max_version,
        .has_ech = hello->ech != CLIENT_HELLO_ECH_NONE,
        .takes_ecdsa_tls12 = client_hello_takes_ecdsa_p256(hello, CLIENT_HELLO_TLS1_2),
        .message_len = (uint32_t)CBS_len(&message),
        .takes_ecdsa_tls13 = client_hello_takes_ecdsa_p256(hello, CLIENT_HELLO_TLS1_3),
    };
    copy_alpn(out, hello->alpn);
    if (ja4_of(&out->ja4, hello) != MG_OK) {
        out->ja4.text[0] = '\0'; /* a list too long for a fingerprint */
    }
    if (CBS_len(&hello->server_name) > 0) {
        struct mg_slice name = mg_slice_of(CBS_data(&hello->server_name), CBS_len(&hello->server_name));
        out->sni_verdict = dns_name_from_sni(&out->sni, name);
    }
    return out->sni_verdict == DNS_NAME_OK || out->sni_verdict == DNS_NAME_IP_LITERAL;
}
