#!/usr/bin/env bash
# Installs what the tests need and Python packages don't bring: EsoRex with its pipelines, Chromium, fitsverify.
# Debian, as root. Does nothing, quickly, where all of it is there.
set -euo pipefail

packages=(
    esorex
    cpl-plugin-amber cpl-plugin-giraf cpl-plugin-hawki cpl-plugin-muse cpl-plugin-naco cpl-plugin-uves
    cpl-plugin-vimos cpl-plugin-visir
    fitsverify qfits-tools
    chromium fonts-dejavu-core
)

fail() {
    echo "install_system_packages: $1" >&2
    exit 1
}

installed() {
    [[ "$(dpkg-query --show --showformat='${db:Status-Status}' "$1" 2>/dev/null)" == installed ]]
}

twice() {
    "$@" || {
        echo "install_system_packages: '$*' failed; trying once more in 10 s" >&2
        sleep 10
        "$@"
    }
}

command -v dpkg-query >/dev/null && command -v apt-get >/dev/null ||
    fail "this is not Debian. Install by hand what of these you need: ${packages[*]}"

missing=()
for package in "${packages[@]}"; do
    installed "$package" || missing+=("$package")
done
if ((${#missing[@]} == 0)); then
    echo "install_system_packages: all ${#packages[@]} packages are there"
    exit 0
fi

((EUID == 0)) || fail "run me as root to install: ${missing[*]}"

echo "install_system_packages: installing ${missing[*]}"
export DEBIAN_FRONTEND=noninteractive
twice apt-get update --quiet --quiet ||
    fail "the package lists can't be updated; see the messages of apt-get above"
twice apt-get install --yes --quiet --quiet --no-install-recommends "${missing[@]}" ||
    fail "apt-get can't install ${missing[*]}; see its messages above"
echo "install_system_packages: done"
