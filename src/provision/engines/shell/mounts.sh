# Mounts what transactional-update does not show and fstab lists; unmounts it at the end, however that comes.
mounted=
show() {
    if findmnt --fstab --mountpoint "$1" >/dev/null && ! mountpoint -q "$1"; then
        mount "$1"
        mounted="$1 $mounted"
    fi
}
hide() {
    for place in $mounted; do
        umount "$place"
    done
    mounted=
}
trap hide EXIT
