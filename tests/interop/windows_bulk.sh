#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# BYTES there and back through nacred.exe, run by Wine, over each I/O model by each client: OpenSSH, PuTTY's plink, Dropbear's dbclient
# with its small window, libssh; checked byte for byte, across many key exchanges, and with a table of how long it took.
. "$(dirname "$0")/lib.sh"
need "$RUNNER" ssh ssh-keygen openssl
. "$(dirname "$0")/windows_clients.sh"

BYTES=${BYTES:-268435456}
MODELS=${MODELS:-UseIOCP=True UseWindowsMessages=True UseWindowsMessages=False}
THRESHOLD=$((BYTES / 8))
NACRED=$RUNNER
NACRED_OPTIONS=$NACRED_EXE
# Wine makes a Ctrl+C of it.
STOP_SIGNAL=INT
# Not a measure of anything: the end of what hangs.
LIMIT=${LIMIT:-3600}
random_file much "$BYTES"

openssh_talk()
{
    ssh_key 127.0.0.1 echo
}

# It makes its own bytes and compares them itself.
libssh_talk()
{
    timeout "$LIMIT" "$LIBSSH" "$PORT" "$USER_NAME" "$PASSWORD" echo "$BYTES" && cat
}

exchanges()
{
    grep -ac 'received NEWKEYS' "$T/server.log"
}

# bulk MODEL CLIENT COMMAND...
bulk()
{
    local model=$1 client=$2 before begun seen

    shift 2
    before=$(exchanges)
    begun=$SECONDS
    through "$T/much" "$@" || return 1
    seen=$(($(exchanges) - before))
    printf '%-26s %-9s %12d %6d %6d\n' "$model" "$client" "$BYTES" $((SECONDS - begun)) "$seen" >>"$T/table"
    echo "$seen key exchanges"
    # The first, and fewer than one a threshold: what is on its way already comes on top of that.
    [ "$seen" -ge 3 ]
}

printf '%-26s %-9s %12s %6s %6s\n' "I/O model" client "bytes/way" s keys >"$T/table"
for model in $MODELS; do
    # The log names each packet that came.
    start_server --bench --set "$model" --set "KeyRenegotiationThreshold=$THRESHOLD" --set LogLevel=2
    check "$model: ssh" bulk "$model" ssh openssh_talk
    ! command -v plink >/dev/null || check "$model: plink" bulk "$model" plink plink_talk "$USER_NAME" "$PASSWORD" echo
    ! command -v dbclient >/dev/null || check "$model: dbclient" bulk "$model" dbclient dbclient_talk "$USER_NAME" "$PASSWORD" echo
    [ -z "$LIBSSH" ] || check "$model: libssh" bulk "$model" libssh libssh_talk
    check "$model: the server ends when told to" stop_server
done
cat "$T/table"
finish
