# Sets a user's password hash. It becomes an argument, which every process may read, only where chpasswd refuses it: that
# of shadow 4.19 takes no locked account and not every good hash.
password() {
    IFS= read -r hash
    printf '%s:%s\n' "$1" "$hash" | chpasswd -e || usermod --password "$hash" "$1"
}
