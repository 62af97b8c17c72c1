# What the recipe carries came with this script, on the config disk.
if [ ! -d ./FOLDER ]; then
    echo 'arca-build: what the recipe carries is missing; it is on the config disk only, not in fw_cfg' >&2
    exit 1
fi
# Prints a carried file.
carried() {
    cat "./FOLDER/$1"
}
