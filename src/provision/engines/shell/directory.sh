# Makes a directory, or gives the one that is there its mode and owner: mode, user, group, path.
directory() {
    if [ -L "$4" ]; then
        printf 'arca-build: %s is a link, not a directory\n' "$4" >&2
        exit 1
    fi
    install -d -m "$1" -o "$2" -g "$3" "$4"
}
