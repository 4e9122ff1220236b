/* SPDX-License-Identifier: Apache-2.0 */
#include "control/naver/naver_signature.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <string.h>

#include "base/buffer.h"
#include "control/http/scan.h"

/* Of request lines, beyond what the server reads of a head. */
#define MAX_SIGNED 65536
#define MAC_TEXT_LEN 44 /* base64 */

bool naver_timestamp_is_near(const char *timestamp, int64_t now_ms, int64_t *out)
{
    uint64_t value;
    if (!scan_decimal(mg_slice_of_text(timestamp), 0, INT64_MAX, &value)) {
        return false;
    }
    *out = (int64_t)value;
    int64_t distance = *out > now_ms ? *out - now_ms : now_ms - *out;
    return distance <= NAVER_WINDOW_MS;
}

/* compute makes the MAC of |what| with the first |target_len| bytes of its target. */
static bool compute(const struct naver_signed *what, size_t target_len, struct mg_slice secret,
                    uint8_t mac[NAVER_MAC_LEN])
{
    struct mg_buffer text;
    unsigned len = 0;
    mg_buffer_init(&text, MAX_SIGNED);
    mg_buffer_append_text(&text, what->method);
    mg_buffer_append_text(&text, " ");
    mg_buffer_append(&text, what->target, target_len);
    mg_buffer_append_text(&text, "\n");
    mg_buffer_append_text(&text, what->timestamp);
    mg_buffer_append_text(&text, "\n");
    mg_buffer_append_text(&text, what->access_key);
    bool ok = mg_buffer_ok(&text) &&
              HMAC(EVP_sha256(), secret.data, (int)secret.len, text.data, text.len, mac, &len) != NULL &&
              len == NAVER_MAC_LEN;
    mg_buffer_free(&text);
    return ok;
}

/* decode reads the base64 of a MAC. */
static bool decode(const char *signature, uint8_t mac[NAVER_MAC_LEN])
{
    uint8_t bytes[MAC_TEXT_LEN / 4 * 3];
    if (strlen(signature) != MAC_TEXT_LEN || signature[MAC_TEXT_LEN - 1] != '=' || signature[MAC_TEXT_LEN - 2] == '=' ||
        EVP_DecodeBlock(bytes, (const uint8_t *)signature, MAC_TEXT_LEN) != (int)sizeof(bytes)) {
        return false;
    }
    memcpy(mac, bytes, NAVER_MAC_LEN);
    return true;
}

bool naver_signature_holds(const struct naver_signed *what, struct mg_slice secret, const char *signature,
                           bool query_is_optional, uint8_t mac[NAVER_MAC_LEN])
{
    uint8_t whole[NAVER_MAC_LEN], path[NAVER_MAC_LEN];
    if (!decode(signature, mac) || !compute(what, strlen(what->target), secret, whole) ||
        !compute(what, strcspn(what->target, "?"), secret, path)) {
        return false;
    }
    bool is_whole = CRYPTO_memcmp(mac, whole, NAVER_MAC_LEN) == 0;
    bool is_path = CRYPTO_memcmp(mac, path, NAVER_MAC_LEN) == 0;
    return is_whole || (query_is_optional && is_path);
}
