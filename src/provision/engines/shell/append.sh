# Adds what a command prints at the end of a file; nothing else may stand there, nor a link that leads elsewhere.
append() {
    path=$1
    shift
    if [ -L "$path" ] || { [ -e "$path" ] && [ ! -f "$path" ]; }; then
        printf 'arca-build: %s is no file to append to\n' "$path" >&2
        exit 1
    fi
    mkdir -p "${path%/*}/"
    "$@" >>"$path"
}
