/* SPDX-License-Identifier: Apache-2.0 */
/* The shape of errors in Mintgate's own API: {"code": ..., "message": ...}. */
#ifndef MINTGATE_CONTROL_PROGRAM_PROBLEMS_H
#define MINTGATE_CONTROL_PROGRAM_PROBLEMS_H

#include "control/http/response.h"

void problem_render(const struct http_problem *problem, struct http_response *response);

#endif
