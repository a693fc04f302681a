#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# TLS of the NBD server: certificates, pre-shared keys, names, and what must not
# pass; against GnuTLS (libnbd, QEMU, gnutls-cli) and OpenSSL.
# shellcheck source=tests/system/functions.sh
. "$(dirname "$0")/functions.sh"

here=$(cd "$(dirname "$0")" && pwd)
requires ramdisk umpiod nbdinfo nbdcopy qemu-img openssl certtool gnutls-cli \
	psktool python3 jq

# ca DIR: a CA of its own; leaf DIR CA NAME FILE [DAYS]: a certificate of it
ca() {
	mkdir -p "$1"
	certtool --generate-privkey --key-type=ecdsa --outfile "$1/ca-key.pem"
	printf 'cn = CA of %s\nca\ncert_signing_key\nexpiration_days = 2\n' \
		"$1" >"$1/ca.cfg"
	certtool --generate-self-signed --load-privkey "$1/ca-key.pem" \
		--template "$1/ca.cfg" --outfile "$1/ca-cert.pem"
}
leaf() {
	certtool --generate-privkey --key-type=ecdsa --outfile "$1/$4-key.pem"
	printf 'cn = %s\ndns_name = %s\nip_address = %s\n%s\n%s\n%s\n' \
		"$3" "$3.example" "$A1" tls_www_server tls_www_client \
		"${5:-expiration_days = 2}" >"$1/$4.cfg"
	certtool --generate-certificate --load-privkey "$1/$4-key.pem" \
		--load-ca-privkey "$2/ca-key.pem" \
		--load-ca-certificate "$2/ca-cert.pem" \
		--template "$1/$4.cfg" --outfile "$1/$4-cert.pem"
}
step "certificates and keys"
{
	ca "$T/pki"
	ca "$T/foreign"
	leaf "$T/pki" "$T/pki" server server
	for name in alice bob; do
		mkdir -p "$T/$name"
		cp "$T/pki/ca-cert.pem" "$T/$name"
		leaf "$T/$name" "$T/pki" $name client
	done
	mkdir -p "$T/mallory" "$T/old" "$T/nobody"
	cp "$T/pki/ca-cert.pem" "$T/mallory"
	cp "$T/pki/ca-cert.pem" "$T/old"
	cp "$T/pki/ca-cert.pem" "$T/nobody"
	leaf "$T/mallory" "$T/foreign" alice client
	leaf "$T/old" "$T/pki" alice client \
		"$(printf 'activation_date = "2020-01-01 00:00:00"\nexpiration_date = "2020-02-01 00:00:00"')"
	psktool -u alice -p "$T/keys.psk"
	psktool -u bob -p "$T/keys.psk"
	chmod 600 "$T/keys.psk"
	psktool -u alice -p "$T/wrong.psk"
} >"$T/pki.log" 2>&1 || { cat "$T/pki.log"; fail "certtool"; }

serve() { # NAME PORT OPTIONS...
	local name=$1 port=$2
	shift 2
	background "$name" ramdisk --size 64MiB --nbd "tcp:$A1:$port" "$@"
	eventually 5 grep -q ready "$T/$name.log" || fail "$name is not ready"
}
serve plain 10809
serve x509 10810 --tls-certificates "$T/pki"
serve verified 10811 --tls-certificates "$T/pki" --tls-verify-peer \
	--tls-allow alice.example
serve psk 10812 --tls-psk "$(cat "$T/keys.psk")"
serve both 10813 --tls-certificates "$T/pki" --tls-psk "$(cat "$T/keys.psk")" \
	--tls-allow alice --tls-verify-peer

x509() { echo "nbds://$A1:$2/ram?tls-certificates=$T/$1"; }
psk() { echo "nbds://$1@$A1:$2/ram?tls-psk-file=${3:-$T/keys.psk}"; }
serves() { # WHAT URI
	equal "$1" "$(nbdinfo --size "$2" 2>&1)" $((64 << 20))
}
denies() { # WHAT URI
	timeout 5 nbdinfo --size "$2" >"$T/out" 2>&1 && fail "$1: served"
	[ $? -ne 124 ] || fail "$1: hangs"
}
alive() {
	local start=$EPOCHREALTIME
	serves "afterwards" "$(x509 alice 10811)"
	[ $(((${EPOCHREALTIME/./} - ${start/./}) / 1000)) -lt 1000 ] ||
		fail "a second client waits for more than a second"
}

step "certificates: who is let in"
serves "any client" "$(x509 nobody 10810)"
serves "a verified one" "$(x509 alice 10811)"
denies "another name" "$(x509 bob 10811)"
denies "no certificate" "$(x509 nobody 10811)"
denies "a foreign CA" "$(x509 mallory 10811)"
denies "an expired one" "$(x509 old 10811)"
denies "plain on a TLS port" "nbd://$A1:10811/ram"
denies "TLS on a plain port" "$(x509 alice 10809)"
equal "the list for bob" "$(nbdinfo --list --json "$(x509 bob 10811)" |
	jq '.exports | length')" 0
alive

step "pre-shared keys"
serves "alice" "$(psk alice 10812)"
serves "bob" "$(psk bob 10812)"
denies "a wrong key" "$(psk alice 10812 "$T/wrong.psk")"
denies "an unknown name" "nbds://carol@$A1:10812/ram?tls-psk-file=$T/keys.psk"
serves "a name that is allowed" "$(psk alice 10813)"
denies "a name that is not" "$(psk bob 10813)"
serves "a certificate beside it" "$(x509 alice 10813)"

step "data, over several connections"
dd if=/dev/urandom of="$T/in" bs=1M count=64 status=none
nbdcopy --flush --connections=4 --requests=64 "$T/in" "$(x509 alice 10811)"
nbdcopy --connections=4 --requests=64 "$(x509 alice 10811)" "$T/out"
cmp "$T/in" "$T/out"
nbdcopy --flush "$T/in" "$(psk alice 10812)"
nbdcopy "$(psk alice 10812)" "$T/out"
cmp "$T/in" "$T/out"

step "QEMU: certificates and PSK"
qemu-img compare --image-opts \
	--object "tls-creds-x509,id=t0,endpoint=client,dir=$T/alice" \
	"driver=raw,file.driver=file,file.filename=$T/in" \
	"driver=raw,file.driver=nbd,file.server.type=inet,file.server.host=$A1,file.server.port=10811,file.export=ram,file.tls-creds=t0" ||
	fail "qemu-img over certificates"
mkdir "$T/qemu"
cp "$T/keys.psk" "$T/qemu/keys.psk"
qemu-img info --image-opts \
	--object "tls-creds-psk,id=t0,endpoint=client,dir=$T/qemu,username=alice" \
	"driver=nbd,host=$A1,port=10812,export=ram,tls-creds=t0" |
	grep -q '64 MiB' || fail "qemu-img over PSK"

step "versions, renegotiation, injection, nonsense"
probe() { /usr/bin/python3 "$here/nbd-starttls.py" "$A1" "$@"; }
relay() { # PORT COMMAND...: with a TLS-only port at $PORT
	background relay probe "$1" relay "$PORT"
	shift
	eventually 5 bash -c "ss -Hltn 'sport = :$PORT' | grep -q ." ||
		fail "relay"
	"$@"
}
probe 10811 plain || fail "options before TLS"
probe 10810 inject || fail "bytes behind STARTTLS"
probe 10810 garbage || fail "garbage in place of TLS"
grep -q 'more bytes behind STARTTLS' "$T/x509.log" || fail "not in the log"
relay 10810 timeout 5 openssl s_client -connect "127.0.0.1:$PORT" -tls1_1 \
	-cipher ALL:@SECLEVEL=0 </dev/null >"$T/out" 2>&1 &&
	fail "TLS 1.1 is spoken"
PORT=$((PORT + 1))
relay 10810 timeout 5 openssl s_client -connect "127.0.0.1:$PORT" -tls1_2 \
	-CAfile "$T/pki/ca-cert.pem" -verify_return_error <<<R \
	>"$T/out" 2>&1 || :
grep -q 'Protocol *: TLSv1.2' "$T/out" || fail "TLS 1.2: $(cat "$T/out")"
PORT=$((PORT + 1))
relay 10810 timeout 5 gnutls-cli --x509cafile "$T/pki/ca-cert.pem" \
	--verify-hostname server.example -p "$PORT" 127.0.0.1 </dev/null \
	>"$T/out" 2>&1 || :
grep -q 'TLS1.3' "$T/out" || fail "gnutls-cli: $(cat "$T/out")"
alive

step "umpiod: the settings, and what is refused"
if [ "$(id -u)" -eq 0 ] && command -v tgtd >/dev/null; then
	tgt_simple 16M
	refuses 2 "insecure = yes" --nbd tcp:0.0.0.0:10820 "$URL1"
	refuses 2 "tls-certificates or tls-psk-file" --nbd "tcp:$A3:10820" \
		-o tls=required "$URL1"
	refuses 2 "needs tls = required" --nbd "tcp:$A3:10820" \
		-o tls-allow=alice "$URL1"
	refuses 2 "missing: \`required\`" --nbd "tcp:$A3:10820" \
		-o "tls-psk-file=$T/keys.psk" "$URL1"
	refuses 1 "server-cert.pem" --nbd "tcp:$A3:10820" -o tls=required \
		-o "tls-certificates=$T/nowhere" "$URL1"
	chmod 644 "$T/keys.psk"
	refuses 1 "keys.psk" --nbd "tcp:$A3:10820" -o tls=required \
		-o "tls-psk-file=$T/keys.psk" "$URL1"
	chmod 600 "$T/keys.psk"
	umpiod_start --nbd "tcp:$A3:10820" -o tls=required \
		-o "tls-psk-file=$T/keys.psk" -o tls-allow=alice "$URL1"
	grep -q "nbds://$A3:10820/disk0" "$T/umpiod.out" || fail "no nbds URI"
	equal size "$(nbdinfo --size \
		"nbds://alice@$A3:10820/disk0?tls-psk-file=$T/keys.psk")" 16777216
	denies "bob" "nbds://bob@$A3:10820/disk0?tls-psk-file=$T/keys.psk"
	denies "plain" "nbd://$A3:10820/disk0"
	umpiod_stop
fi
