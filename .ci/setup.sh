# Sourced by ./repnoise, ./test and .ci/run: finds or installs what they need. Expects $root, the repository.

fail() {
    printf '%s\n' "$@" >&2
    exit 1
}

# Installs Debian packages; false where that is not possible (no apt, not root, no such package).
apt_install() {
    command -v apt-get >/dev/null && [ "$(id -u)" = 0 ] || return 1
    echo "installing $* ..." >&2
    local log
    log=$(DEBIAN_FRONTEND=noninteractive apt-get install -y -qq "$@" 2>&1) && return 0
    log=$({ DEBIAN_FRONTEND=noninteractive apt-get update -qq && apt-get install -y -qq "$@"; } 2>&1) && return 0
    printf '%s\n' "$log" >&2
    return 1
}

# Puts dotnet on the path where it lies in one of its usual places.
find_dotnet() {
    command -v dotnet >/dev/null && return 0
    local folder
    for folder in "${DOTNET_ROOT:-}" "$HOME/.dotnet" /usr/share/dotnet /usr/lib/dotnet; do
        if [ -n "$folder" ] && [ -x "$folder/dotnet" ]; then
            export DOTNET_ROOT=$folder PATH="$folder:$PATH"
            return 0
        fi
    done
    return 1
}

have_sdk() {
    find_dotnet && dotnet --list-sdks 2>/dev/null | grep -q '^10\.'
}

ensure_sdk() {
    have_sdk && return 0
    apt_install dotnet-sdk-10.0 && hash -r && have_sdk && return 0
    fail "The .NET 10 SDK is missing. Install it in one of these ways and run this again:" \
        "  Debian, Ubuntu:  sudo apt-get install dotnet-sdk-10.0   (see https://learn.microsoft.com/dotnet/core/install/linux)" \
        "  anywhere:        curl -sSL https://dot.net/v1/dotnet-install.sh | bash -s -- --channel 10.0"
}

# Text normalisation in tokenizers needs ICU, and .NET will not start without it unless told so.
ensure_icu() {
    [ -n "${DOTNET_SYSTEM_GLOBALIZATION_INVARIANT:-}" ] || [ "$(uname)" != Linux ] && return 0
    compgen -G '/usr/lib/*/libicuuc.so*' >/dev/null || compgen -G '/usr/lib*/libicuuc.so*' >/dev/null && return 0
    { ldconfig -p 2>/dev/null || /sbin/ldconfig -p 2>/dev/null; } | grep -q libicuuc && return 0
    apt_install libicu-dev && return 0
    export DOTNET_SYSTEM_GLOBALIZATION_INVARIANT=1
    echo "warning: libicu is missing. Tokenizers that normalise text (NFC, NFKC) may give wrong ids for letters outside ASCII;" \
        "install libicu to be safe." >&2
}

ensure_native_tools() {
    command -v cmake >/dev/null && command -v g++ >/dev/null && return 0
    apt_install cmake g++ make && return 0
    fail "CMake and a C++20 compiler are missing. Install them and run this again, for example: sudo apt-get install cmake g++ make"
}

# Without it the PTX that ships is used as it lies in the tree, and no test compares it with its sources.
ensure_ptx_compiler() {
    command -v clang++-22 >/dev/null || apt_install clang-22 ||
        echo "warning: clang++-22 is missing, so it is not checked that native/cuda/ptx is what its sources make." >&2
}

export DOTNET_CLI_TELEMETRY_OPTOUT=1 DOTNET_NOLOGO=1
