/* SPDX-License-Identifier: Apache-2.0 */
#include "bench/minter_helper.h"

enum mg_status minter_helper_start(struct helper *out, const struct helper *signer, const char *type, bool is_offered,
                                   struct mg_error *error)
{
    char socket[HELPER_MAX_DIRECTORY + 16], issuers[HELPER_MAX_DIRECTORY + 16], tbs[HELPER_MAX_DIRECTORY + 16];
    char server[16];
    snprintf(socket, sizeof(socket), "%s/engine.sock", signer->directory);
    snprintf(issuers, sizeof(issuers), "%s/issuers.bin", signer->directory);
    snprintf(tbs, sizeof(tbs), "%s/tbs.bin", signer->directory);
    snprintf(server, sizeof(server), "%d", signer->server);
    const char *offered[] = {"--socket", socket, "--key-type", type, "--watch", server, "--offered", NULL};
    const char *builtin[] = {"--socket",  socket,  "--key-type", type, "--watch", server,
                             "--issuers", issuers, "--tbs",      tbs,  NULL};
    return helper_start(out, "mintgate-bench-minter", is_offered ? offered : builtin, error);
}
