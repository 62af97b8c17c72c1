# What the recipe carries is on a disk of its own, found by its serial; the disk's content is one tar stream.
payload=/dev/disk/by-id/virtio-SERIAL
for _ in 1 2 3 4 5 6 7 8 9 10; do
    if [ -e "$payload" ]; then
        break
    fi
    sleep 1
done
if [ ! -e "$payload" ]; then
    echo "arca-build: the payload disk is missing: no $payload" >&2
    exit 1
fi
# Prints a carried file.
carried() {
    tar -xOf "$payload" "$1"
}
