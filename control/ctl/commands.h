/* SPDX-License-Identifier: Apache-2.0 */
/* The commands, named after noun and verb; main's table says what each takes. Results as in control/ctl/ctl.h. */
#ifndef MINTGATE_CONTROL_CTL_COMMANDS_H
#define MINTGATE_CONTROL_CTL_COMMANDS_H

#include "control/ctl/ctl.h"

typedef enum mg_status command_fn(struct ctl *ctl, struct mg_error *error);

/* intermediate.c */
command_fn intermediate_list, intermediate_show, intermediate_create, intermediate_keygen, intermediate_csr;
command_fn intermediate_download_csr, intermediate_public_key, intermediate_upload_cert, intermediate_upload_chain;
command_fn intermediate_finalize, intermediate_enable, intermediate_disable, intermediate_delete;
command_fn intermediate_attestation, intermediate_verify_attestation;
/* attestation.c: does without the control plane */
command_fn attestation_check_file;
/* stores.c */
command_fn truststore_list, truststore_create, keystore_list, keystore_create, store_show, store_delete, store_add;
command_fn store_remove, store_restore, reference_list, reference_set, reference_delete, intermediate_import;
/* default.c */
command_fn intermediate_default;
/* successor.c */
command_fn successor_show, successor_set, successor_clear;
/* overview.c */
command_fn root_show, audit_show;
/* root.c: this too does without the control plane */
command_fn root_sign_csr;
/* status.c */
command_fn status_show;
/* users.c */
command_fn user_list, user_show, user_create, user_set_role, user_set_password, user_enable, user_disable, user_delete;
command_fn whoami_show;
/* ccadb.c */
command_fn ccadb_owner_list, ccadb_owner_add, ccadb_root_list, ccadb_root_show, ccadb_root_add;
command_fn ccadb_record_list, ccadb_record_show, ccadb_user_list, ccadb_user_grant, ccadb_user_revoke;
command_fn ccadb_client_list, ccadb_client_add, ccadb_client_delete, ccadb_auditor_list, ccadb_auditor_add;
command_fn ccadb_word_list, ccadb_word_add, ccadb_word_remove;
/* keys.c */
command_fn key_list;
command_fn api_key_list, api_key_create, api_key_rotate, api_key_delete;
command_fn client_list, client_create, client_rotate, client_enable, client_disable, client_delete;
/* pca.c */
command_fn pca_ca_list, pca_ca_show, pca_ca_create, pca_ca_activate, pca_ca_set_status, pca_ca_delete;
command_fn pca_ca_csr, pca_ca_chain, pca_ca_crl, pca_ca_rotate_crl, pca_ca_set_crl_days, pca_ca_set_ocsp;
command_fn pca_cert_list, pca_cert_show, pca_cert_sign, pca_sign_csr, pca_revoke;
command_fn pca_key_list, pca_key_add, pca_key_delete;

/* ska.c */
command_fn ska_key_create, ska_key_delete, ska_certificate, ska_certificate_import;
command_fn ska_keys, ska_key, ska_requests, ska_request, ska_cancel, ska_tasks, ska_approve_task, ska_reject_task;
command_fn ska_api_key_list, ska_api_key_add, ska_api_key_remove;
/* backup.c */
command_fn backup_create, restore_state;
/* cache.c, policy.c: these ask the engine itself */
command_fn cache_show, policy_explain;
/* bypass.c: these do without the control plane */
command_fn bypass_on, bypass_off, bypass_show;

#endif
