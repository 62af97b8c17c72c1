# Puts a file that travels in this script beside it, unless the config disk brought it.
unpack() {
    file=$1
    shift
    if [ ! -e "$file" ]; then
        "$@" >"$file"
        chmod 0755 "$file"
    fi
}
