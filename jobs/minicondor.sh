#!/usr/bin/env bash
# An HTCondor pool of one host in a folder of its own: a small site can begin with it, and the tests run on it.
#   jobs/minicondor.sh install FOLDER    get Debian's HTCondor into FOLDER; nothing outside it is changed
#   jobs/minicondor.sh start FOLDER      start the daemons; CONDOR_CONFIG=FOLDER/condor_config reaches them
#   jobs/minicondor.sh kill FOLDER       end them at once, as a power cut does
#   jobs/minicondor.sh stop FOLDER       end them in order
#   jobs/minicondor.sh as-user COMMAND   run a command as a user whom HTCondor takes jobs from
# Nothing needs root; called twice, each does no harm. HTCondor takes no jobs from root: as root, daemons and commands
# run in a user namespace in which they are the user daemon.
# QCBENCH_DEBIAN_MIRROR names the mirror (default: that of this host); QCBENCH_POOL_CPUS the number of slots (8).
set -euo pipefail

suite=trixie

fail() {
    echo "minicondor: $1" >&2
    exit 1
}

as_user() {
    if ((EUID == 0)); then
        exec unshare --user --map-user=daemon --map-group=daemon "$@"
    fi
    exec "$@"
}

mirror() {
    local found=${QCBENCH_DEBIAN_MIRROR:-}
    [[ -n $found ]] || found=$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' |
        grep '/debian/*$' | sort -u | head -n 1) || true
    [[ -n $found ]] || fail "no mirror of Debian is in the package sources of this host. Name one in QCBENCH_DEBIAN_MIRROR"
    echo "$found"
}

# Fetches packages with all that they need, as if nothing were installed: the folder depends on nothing of this host.
fetch_packages() {
    mkdir -p "$pool/apt/state/lists/partial" "$pool/apt/cache/archives/partial"
    : >"$pool/apt/status"
    echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $(mirror) $suite main" >"$pool/apt/sources.list"
    local apt=(apt-get --quiet --quiet -o Dir::State="$pool/apt/state" -o Dir::State::status="$pool/apt/status"
        -o Dir::Cache="$pool/apt/cache" -o Dir::Etc::sourcelist="$pool/apt/sources.list" -o Dir::Etc::sourceparts=-
        -o APT::Sandbox::User="$(id --user --name)" -o Debug::NoLocking=true)
    "${apt[@]}" update || fail "the package lists of Debian $suite can't be fetched; see the messages of apt-get above"
    "${apt[@]}" --yes --no-install-recommends --download-only install condor patchelf ||
        fail "the packages can't be fetched; see the messages of apt-get above"
}

# Makes the programs use the libraries of the folder, the C library included, whatever this host has.
bind_programs() {
    local root=$1 final=$2 libraries=$1/usr/lib/$(uname -m)-linux-gnu:$1/usr/lib loader program
    loader=$(echo "$root"/usr/lib64/ld-linux-*.so.*)
    [[ -x $loader ]] || fail "$root: the packages brought no loader; this script knows 64-bit Debian"
    for program in "$root"/usr/{bin,sbin,libexec/condor}/condor_*; do
        [[ -f $program && ! -L $program && $(head --bytes 4 "$program" | tr -d '\0') == $'\x7fELF' ]] || continue
        "$loader" --library-path "$libraries" "$root/usr/bin/patchelf" --print-interpreter "$program" &>/dev/null || continue
        "$loader" --library-path "$libraries" "$root/usr/bin/patchelf" \
            --set-interpreter "${loader/#"$root"/"$final"}" --force-rpath --set-rpath "${libraries//"$root"/"$final"}" "$program"
    done
}

install_pool() {
    if [[ ! -x $pool/system/usr/sbin/condor_master ]]; then
        command -v apt-get >/dev/null && command -v dpkg-deb >/dev/null ||
            fail "this is not Debian. Install HTCondor as its manual says, and let CONDOR_CONFIG name its configuration"
        fetch_packages
        rm -rf "$pool/new"
        local package
        for package in "$pool"/apt/cache/archives/*.deb; do
            dpkg-deb --extract "$package" "$pool/new"
        done
        bind_programs "$pool/new" "$pool/system"
        rm -rf "$pool/system"
        mv "$pool/new" "$pool/system"
        rm -rf "$pool/apt"
    fi
    sed -e "s|@POOL@|$pool|g" -e "s|@CPUS@|${QCBENCH_POOL_CPUS:-8}|g" "$(dirname "${BASH_SOURCE[0]}")/minicondor.config" \
        >"$pool/condor_config"
    "$pool/system/usr/bin/condor_version"
}

# The daemons carry the folder in their environment; nobody else's are ever touched.
daemons() {
    local process
    for process in /proc/[0-9]*; do
        if [[ $(readlink "$process/exe" 2>/dev/null) == "$pool/system/usr/"* ]]; then
            echo "${process#/proc/}"
        fi
    done
}

answers() {
    (as_user "$pool/system/usr/bin/condor_status" -schedd -af Name) 2>/dev/null | grep -q .
}

start_pool() {
    [[ -x $pool/system/usr/sbin/condor_master ]] || fail "there is no HTCondor in $pool. Call: jobs/minicondor.sh install $pool"
    if ((EUID == 0)) && ! (as_user true) 2>/dev/null; then
        fail "root can't become another user in a namespace here (unshare --user). Call this as a user who is not root"
    fi
    mkdir -p "$pool"/local/{execute,log,lock,run,spool}
    if [[ -z $(daemons) ]]; then
        (as_user "$pool/system/usr/sbin/condor_master") </dev/null &>"$pool/local/master.out"
    fi
    local try
    for try in {1..60}; do
        if answers; then return; fi
        sleep 0.5
    done
    fail "the pool in $pool does not answer after 30 s. See $pool/local/log"
}

end_pool() {
    local signal=$1 process try
    for try in {1..40}; do
        mapfile -t running < <(daemons)
        ((${#running[@]})) || return 0
        for process in "${running[@]}"; do
            kill "-$signal" "$process" 2>/dev/null || true
        done
        sleep 0.5
    done
    [[ $signal == KILL ]] || end_pool KILL
}

(($# >= 2)) || fail "usage: install|start|stop|kill FOLDER, or as-user COMMAND"
what=$1
shift
if [[ $what == as-user ]]; then
    as_user "$@"
fi
mkdir -p "$1"
pool=$(cd "$1" && pwd -P)
export CONDOR_CONFIG=$pool/condor_config
case $what in
install) install_pool ;;
start) start_pool ;;
stop) end_pool TERM ;;
kill) end_pool KILL ;;
*) fail "$what: there is install, start, stop, kill and as-user" ;;
esac
