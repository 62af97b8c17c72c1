# Refuses other bytes than the recipe pins: sha256 digest, file.
pinned() {
    sum=$(sha256sum <"$2")
    if [ "${sum%% *}" != "$1" ]; then
        printf 'arca-build: %s is not what the recipe pins\n' "$2" >&2
        exit 1
    fi
}
