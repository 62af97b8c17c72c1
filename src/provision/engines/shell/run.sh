# Runs a script that travels in this one: by its own interpreter, in `/`. Its failure fails the boot.
run() {
    name=$1
    shift
    folder=$(mktemp -d "$PWD/run.XXXXXX")
    (umask 077 && "$@" >"$folder/$name")
    chmod 0700 "$folder/$name"
    printf 'arca-build: runs %s\n' "$name"
    (cd / && "$folder/$name")
    rm -rf "$folder"
}
