/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/unix_socket.h"
#include "certs.h"
#include "played_signer.h"

void signer_start(struct signer *signer)
{
    assert_int_equal(mg_unix_listen(signer->path, SOCK_SEQPACKET, 0600, &signer->listen_fd, NULL), MG_OK);
}

void signer_init(struct signer *signer)
{
    static unsigned serial;
    *signer = (struct signer){.fd = -1};
    snprintf(signer->path, sizeof(signer->path), "/tmp/mint_client.%d.%u", (int)getpid(), serial++);
}

void signer_hang_up(struct signer *signer)
{
    if (signer->fd >= 0) {
        close(signer->fd);
        signer->fd = -1;
    }
}

void signer_stop(struct signer *signer)
{
    signer_hang_up(signer);
    close(signer->listen_fd);
    unlink(signer->path);
}

void signer_accept(struct signer *signer)
{
    assert_int_equal(mg_unix_accept(signer->listen_fd, &signer->fd, NULL), MG_OK);
    ssize_t len = recv(signer->fd, signer->packet, sizeof(signer->packet), 0);
    uint16_t version;
    assert_true(len > 0);
    assert_int_equal(wire_signer_decode_hello(mg_slice_of(signer->packet, (size_t)len), &version, NULL), MG_OK);
    assert_int_equal(version, WIRE_SIGNER_VERSION);
}

void signer_send(struct signer *signer, struct mg_slice packet)
{
    assert_int_equal(send(signer->fd, packet.data, packet.len, MSG_NOSIGNAL), packet.len);
}

void signer_send_issuers(struct signer *signer, const struct wire_issuer *issuer)
{
    static struct wire_issuers issuers;
    issuers.issuers[0] = *issuer;
    issuers.num_issuers = 1;
    struct mg_buffer out;
    mg_buffer_init(&out, WIRE_SIGNER_MAX_PACKET);
    wire_signer_encode_issuers(&out, &issuers);
    signer_send(signer, mg_buffer_slice(&out));
    mg_buffer_free(&out);
}

bool signer_receive(struct signer *signer)
{
    ssize_t len = recv(signer->fd, signer->packet, sizeof(signer->packet), MSG_DONTWAIT);
    if (len <= 0) {
        return false;
    }
    assert_int_equal(wire_signer_decode_sign(mg_slice_of(signer->packet, (size_t)len), signer->requests,
                                             &signer->num_requests, NULL),
                     MG_OK);
    return true;
}

void signer_receive_cancel(struct signer *signer, struct wire_sign_cancel *out)
{
    ssize_t len = recv(signer->fd, signer->packet, sizeof(signer->packet), MSG_DONTWAIT);
    assert_true(len > 0);
    assert_int_equal(wire_signer_decode_cancel(mg_slice_of(signer->packet, (size_t)len), out, NULL), MG_OK);
}

bool signer_receive_client_sign(struct signer *signer, struct wire_client_sign *out)
{
    ssize_t len = recv(signer->fd, signer->packet, sizeof(signer->packet), MSG_DONTWAIT);
    if (len <= 0) {
        return false;
    }
    assert_int_equal(wire_signer_decode_client_sign(mg_slice_of(signer->packet, (size_t)len), out, NULL), MG_OK);
    return true;
}

void signer_reply(struct signer *signer, uint64_t id, enum wire_sign_status status, struct mg_slice signature)
{
    struct mg_buffer out;
    mg_buffer_init(&out, WIRE_SIGNER_MAX_PACKET);
    wire_signer_begin_signed(&out);
    assert_true(
        wire_signer_add_signed(&out, &(struct wire_sign_result){.id = id, .status = status, .signature = signature}));
    assert_int_equal(wire_signer_end_batch(&out), 1);
    signer_send(signer, mg_buffer_slice(&out));
    mg_buffer_free(&out);
}

void signer_sign(struct signer *signer, EVP_PKEY *key, size_t i)
{
    struct mg_buffer signature;
    mg_buffer_init(&signature, WIRE_SIGNER_MAX_SIGNATURE);
    certs_sign(&signature, key, signer->requests[i].tbs);
    signer_reply(signer, signer->requests[i].id, WIRE_SIGN_OK, mg_buffer_slice(&signature));
    mg_buffer_free(&signature);
}
