# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash disable=SC2154
# Clients of the five families, as their vendors' own programs ask: curl over TLS, each with the credentials of its
# family. Sourced after lab.sh; $work is a directory of the caller's, the lab's env has been read. Every call sets
# $code, the answer's status, and leaves the answer in $work/answer.

# call METHOD PATH CURL_OPTION...
call()
{
    code=$(curl -sS --max-time 60 --cacert "$CONTROL_CA_PEM" -X "$1" -o "$work/answer" -w '%{http_code}' "${@:3}" \
        "$CONTROL_URL$2")
    printf '    %-4s %s: %s\n' "$1" "${2%%\?client_id*}" "$code"
}

json_header=(-H 'Content-Type: application/json')

# answer FILTER: what jq makes of the answer.
answer() { jq -r "$1" "$work/answer"; }

# done_well: the answer says that it was done; else it is shown.
done_well() { [[ $code == 20? ]] || { cat "$work/answer"; return 1; }; }

base64_line() { base64 -w 0; }

# one_line FILE: PEM as CCADB wants it.
one_line() { tr -d '\n' < "$1"; }

# ---- NAVER Private CA: each request is signed ----

# naver METHOD PATH [BODY], with $naver_access and $naver_secret
naver()
{
    local timestamp signature
    timestamp=$(date +%s%3N)
    signature=$(printf '%s %s\n%s\n%s' "$1" "$2" "$timestamp" "$naver_access" |
        openssl dgst -sha256 -hmac "$naver_secret" -binary | base64_line)
    call "$1" "$2" "${json_header[@]}" -H "x-ncp-apigw-timestamp: $timestamp" \
        -H "x-ncp-iam-access-key: $naver_access" -H "x-ncp-apigw-signature-v2: $signature" ${3:+-d "$3"}
}

# ---- Zscaler ZIA: a session, into which one logs in with an obfuscated API key ----

# obfuscated KEY MILLISECONDS
obfuscated()
{
    local high=${2: -6} low out='' i
    printf -v low %06d $((10#$high >> 1))
    for ((i = 0; i < 6; i++)); do out+=${1:${high:i:1}:1}; done
    for ((i = 0; i < 6; i++)); do out+=${1:$((${low:i:1} + 2)):1}; done
    echo "$out"
}

zia_log_in()
{
    local now
    now=$(date +%s%3N)
    jq -n --arg key "$(obfuscated "$CONTROL_API_KEY" "$now")" --arg user "$CONTROL_ADMIN_NAME" \
        --arg password "$CONTROL_ADMIN_PASSWORD" --argjson now "$now" \
        '{apiKey: $key, username: $user, password: $password, timestamp: $now}' > "$work/login"
    call POST /api/v1/authenticatedSession "${json_header[@]}" -c "$work/cookies" -d "@$work/login"
    rm "$work/login"
}

# zia METHOD PATH CURL_OPTION..., below intermediateCaCertificate
zia() { call "$1" "/api/v1/intermediateCaCertificate$2" -b "$work/cookies" "${@:3}"; }

# ---- Securosys: API keys by role; approvers sign timestamps and approvals ----

# ska ROLE METHOD PATH [BODY], with $ska_keys
ska() { call "$2" "$3" "${json_header[@]}" -H "X-API-KEY: ${ska_keys[$1]}" ${4:+-d "$4"}; }

# signature_of KEY_FILE FILE
signature_of() { openssl dgst -sha256 -sign "$1" "$2" | base64_line; }

public_key_of() { openssl pkey -in "$1" -pubout -outform DER | base64_line; }

# ska_tasks KEY_FILE REQUEST: what the approver with this key has to answer of REQUEST, in $work/task.
ska_tasks()
{
    date -u +%FT%T.%3NZ | tr -d '\n' > "$work/timestamp"
    ska approverToken POST /v1/filteredSignApprovalTask "$(jq -n --rawfile timestamp "$work/timestamp" \
        --arg signature "$(signature_of "$1" "$work/timestamp")" --arg key "$(public_key_of "$1")" --arg request "$2" \
        '{timestamp: $timestamp, timestampSignature: $signature, timestampDigestAlgorithm: "SHA-256",
          approverPublicKey: $key, requestId: $request, detailLevel: "level4"}')"
    jq '.tasks[0]' "$work/answer" > "$work/task"
}

# ska_approve KEY_FILE: approves what is in $work/task.
ska_approve()
{
    jq -r .approvalToBeSigned "$work/task" | base64 -d > "$work/approval"
    ska approverToken POST /v1/approval "$(jq --arg signature "$(signature_of "$1" "$work/approval")" \
        --arg key "$(public_key_of "$1")" '{id, approvalToBeSigned, signature: $signature,
          approvalDigestAlgorithm: "SHA-256", approverPublicKey: $key}' "$work/task")"
}

# ---- CCADB: a person allows a client in a browser; the client calls with a token ----

# ccadb_log_in USER PASSWORD, for the client $ccadb_id with $ccadb_secret and $ccadb_redirect: sets $ccadb_token.
ccadb_log_in()
{
    local field
    local -a form=()
    call GET "/services/oauth2/authorize?client_id=$ccadb_id&redirect_uri=$ccadb_redirect&response_type=code" \
        -c "$work/browser"
    while IFS= read -r field; do
        form+=(--data-urlencode "$field")
    done < <(sed -nE 's/.*<input type="hidden" name="([^"]*)" value="([^"]*)">.*/\1=\2/p' "$work/answer")
    call POST /services/oauth2/authorize -b "$work/browser" -D "$work/headers" "${form[@]}" \
        --data-urlencode "username=$1" --data-urlencode "password=$2" -d answer=allow
    call POST /services/oauth2/token -d grant_type=authorization_code -d "client_id=$ccadb_id" \
        -d "client_secret=$ccadb_secret" -d "redirect_uri=$ccadb_redirect" \
        -d "code=$(sed -nE 's/^[Ll]ocation:.*[?&]code=([^&[:space:]]*).*/\1/p' "$work/headers")"
    ccadb_token=$(answer .access_token)
}

# ccadb CALL BODY
ccadb() { call POST "/services/apexrest/$1" "${json_header[@]}" -H "Authorization: Bearer $ccadb_token" -d "$2"; }

# ---- SAP API Management: OData with a token ----

# sap_log_in with $sap_id and $sap_secret: sets $sap_token.
sap_log_in()
{
    call POST /oauth/token -u "$sap_id:$sap_secret" -d grant_type=client_credentials
    sap_token=$(answer .access_token)
}

# sap METHOD PATH [BODY]
sap()
{
    call "$1" "/apiportal/api/1.0/Management.svc/$2" "${json_header[@]}" -H "Authorization: Bearer $sap_token" \
        ${3:+-d "$3"}
}
