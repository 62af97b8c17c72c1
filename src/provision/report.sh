# Tells what stands in the guest, thing by thing as the list names them: on the port where the machine has one, at every boot,
# and in short on the console, once. It changes nothing, and whatever it finds, the boot goes on. Neither a password's
# hash nor a file's content is told.
set -u
export LC_ALL=C PATH=/usr/sbin:/usr/bin:/sbin:/bin
folder=/etc/arca-build
told=/run/arca-build/report
port=/dev/virtio-ports/org.arca_build.report
stamp=/var/lib/arca-build/reported
tab=$(printf '\t')
looked=0
missing=0
mkdir -p "${told%/*}" "${stamp%/*}"
umask 077

# Sets `escaped` to a text that ends neither the field nor the line.
escape() {
    case $1 in
    *[!' '-~]* | *\\*)
        escaped=$(printf '%sx' "$1" | tr '\001-\010\013-\037\177' '?' |
            sed -e 's/\\/\\\\/g' -e "s/$tab/\\\\t/g" -e '$!s/$/\\n/' | tr -d '\n')
        escaped=${escaped%x}
        ;;
    *) escaped=$1 ;;
    esac
}

# Writes a line: kind, subject, facts.
line() {
    escape "$2"
    printf '%s\t%s' "$1" "$escaped"
    shift 2
    for fact; do
        escape "$fact"
        printf '\t%s' "$escaped"
    done
    printf '\n'
}

# Writes the line of something that is there.
there() {
    what=$1 name=$2
    shift 2
    line "$what" "$name" present=yes "$@"
}

# Writes the line of something that is not there.
absent() {
    missing=$((missing + 1))
    line "$1" "$2" present=no
}

# Prints the digest of what comes in.
digest() {
    sum=$(sha256sum)
    printf '%s' "${sum%% *}"
}

# Writes a line with mode, user and group, and maybe a further fact.
owned() {
    IFS=$tab read -r mode owner group <<END
$(stat -c "mode=%a${tab}user=%U${tab}group=%G" -- "$2")
END
    there "$1" "$2" "$mode" "$owner" "$group" ${3+"$3"}
}

# Each engine that has a part leaves a mark.
engine() {
    if [ -f "$folder/applied/$1" ]; then
        there engine "$1" "config=$(head -c 64 "$folder/applied/$1")"
    else
        absent engine "$1"
    fi
}

setting() {
    value=
    case $1 in
    hostname) value=$(cat /proc/sys/kernel/hostname) ;;
    timezone)
        value=$(readlink /etc/localtime)
        value=${value#*/zoneinfo/}
        ;;
    locale) value=$(sed -n 's/^LANG=//p' /etc/locale.conf) ;;
    keymap) value=$(sed -n 's/^KEYMAP=//p' /etc/vconsole.conf) ;;
    esac
    there setting "$1" "value=$value"
}

argument() {
    case " $(cat /proc/cmdline) " in
    *" $1 "*) there kernel-argument "$1" ;;
    *) absent kernel-argument "$1" ;;
    esac
}

group() {
    if entry=$(getent group "$1"); then
        entry=${entry#*:*:}
        there group "$1" "gid=${entry%%:*}"
    else
        absent group "$1"
    fi
}

user() {
    if ! entry=$(getent passwd "$1"); then
        absent user "$1"
        return
    fi
    IFS=: read -r _ _ uid _ gecos home shell <<END
$entry
END
    password=$(getent shadow "$1" | cut -d: -f2)
    case $password in
    '') password=empty ;;
    '!'* | '*'*) password=locked ;;
    *) password='set' ;;
    esac
    keys=none
    if [ -f "$home/.ssh/authorized_keys" ]; then
        keys=$(digest <"$home/.ssh/authorized_keys")
    fi
    there user "$1" "uid=$uid" "groups=$(id -Gn "$1" | tr ' ' ,)" "gecos=$gecos" "home=$home" "shell=$shell" \
        "password=$password" "keys=$keys"
}

directory() {
    if [ -d "$1" ] && [ ! -L "$1" ]; then
        owned directory "$1"
    else
        absent directory "$1"
    fi
}

# Path, and how many bytes from the end are the recipe's where not all are.
file() {
    if [ ! -f "$1" ] || [ -L "$1" ]; then
        absent file "$1"
    elif [ "$2" = - ]; then
        owned file "$1" "sha256=$(digest <"$1")"
    else
        owned file "$1" "tail=$(tail -c "$2" -- "$1" | digest)"
    fi
}

link() {
    if [ -L "$1" ]; then
        there link "$1" "target=$(readlink -- "$1")"
    else
        absent link "$1"
    fi
}

package() {
    if rpm -q --whatprovides -- "$1" >/dev/null 2>&1; then
        there package "$1"
    else
        absent package "$1"
    fi
}

# Sets `answer` to what the system manager says; one that is busy lets a question time out, and is asked again.
ask() {
    for _ in 1 2 3 4 5; do
        if answer=$(systemctl --no-legend --no-pager --plain "$@" 2>/dev/null) || [ -n "$answer" ]; then
            return 0
        fi
        sleep 2
    done
    return 1
}

unit() {
    # By the files, which are there whether or not the manager answers.
    enabled=$(systemctl --root=/ is-enabled -- "$1" 2>/dev/null)
    case $1 in
    *@.*) answer=template ;;
    *) ask is-active -- "$1" ;;
    esac
    active=$answer
    # What fails and is started again, over and over, is never in the state `failed`.
    if [ "$active" = activating ] && ask show --property=SubState --value -- "$1"; then
        case $answer in
        auto-restart*) active=$answer ;;
        esac
    fi
    if [ -n "$enabled" ] && [ "$enabled" != not-found ] || [ "$active" = active ]; then
        there unit "$1" "enabled=$enabled" "active=$active"
    else
        absent unit "$1"
    fi
}

# Label, and where it is mounted.
pool() {
    options=$(findmnt --noheadings --output OPTIONS --mountpoint "$2")
    if [ -z "$options" ] || [ "$(btrfs filesystem label "$2")" != "$1" ]; then
        absent pool "$1"
        return
    fi
    case ,$options, in
    *,ro,*) access=ro ;;
    *) access=rw ;;
    esac
    shown=$(btrfs filesystem show --mounted "$2")
    case $shown in
    *[Mm]issing* | *MISSING*) lost=yes ;;
    *) lost=no ;;
    esac
    there pool "$1" "path=$2" "access=$access" "data=$(profile Data "$2")" "metadata=$(profile Metadata "$2")" \
        "members=$(printf '%s\n' "$shown" | grep -c devid)" "missing=$lost" "options=$options"
}

# Prints how btrfs spreads blocks of a kind, as mkfs.btrfs calls it.
profile() {
    btrfs filesystem df "$2" | sed -n "s/^$1, \([^:]*\):.*/\1/p" | head -n 1 | tr '[:upper:]' '[:lower:]'
}

mounted() {
    found=$(findmnt --noheadings --raw --output FSTYPE,OPTIONS --mountpoint "$1" | tail -n 1)
    case $found in
    '')
        absent mount "$1"
        return
        ;;
    *' ro' | *' ro,'*) access=ro ;;
    *) access=rw ;;
    esac
    there mount "$1" "type=${found%% *}" "access=$access" "options=${found#* }"
}

subvolume() {
    # The number of every subvolume's own directory (btrfs-subvolume(8), "INODE NUMBERS").
    if [ "$(stat -c %i -- "$1" 2>/dev/null)" = 256 ]; then
        case $(lsattr -d -- "$1" | cut -d' ' -f1) in
        *C*) there subvolume "$1" nocow=yes ;;
        *) there subvolume "$1" nocow=no ;;
        esac
    else
        absent subvolume "$1"
    fi
}

# Sets `stage`: a unit that restarts the guest has not run, or in this boot only. Unit, and what it leaves behind. One that
# failed for good restarts nothing.
stage=final
restart() {
    if ask is-active -- "$1" && [ "$answer" = failed ]; then
        return
    fi
    if [ ! -e "$2" ] || [ -z "$answer" ] || [ "$answer" = active ]; then
        stage=pending
    fi
}

# Looks at one thing: kind, subject, detail.
look() {
    case $1 in
    engine) engine "$2" ;;
    setting) setting "$2" ;;
    kernel-argument) argument "$2" ;;
    group) group "$2" ;;
    user) user "$2" ;;
    directory) directory "$2" ;;
    file) file "$2" "$3" ;;
    link) link "$2" ;;
    package) package "$2" ;;
    unit) unit "$2" ;;
    pool) pool "$2" "$3" ;;
    mount) mounted "$2" ;;
    subvolume) subvolume "$2" ;;
    restart) restart "$2" "$3" ;;
    esac
}

# Goes through the list, and through what failed.
report() {
    echo 'arca-report 1 begin'
    while IFS=$tab read -r kind detail subject <&3; do
        looked=$((looked + 1))
        look "$kind" "$subject" "$detail"
    done 3<"$folder/report.list"
    failed=
    # Nothing told of is not nothing that failed.
    ask list-units --state=failed || answer='(systemd-does-not-answer)'
    while read -r unit _; do
        if [ -n "$unit" ]; then
            failed="$failed $unit"
            line failed "$unit"
        fi
    done <<END
$answer
END
    line stage "$stage"
    echo 'arca-report 1 end'
}

report >"$told.new"
mv "$told.new" "$told"

# The console first: whoever has the report may end the machine.
if [ ! -e "$stamp" ]; then
    printf 'arca-build: report (%s): %d things looked at, %d not there; failed units:%s\n' \
        "$stage" "$looked" "$missing" "${failed:- none}" >/dev/console || :
    if [ "$stage" = final ]; then
        : >"$stamp"
    fi
fi
if [ -e "$port" ]; then
    # Whoever listens has it at once; where nobody does, this would wait.
    timeout 10 cat "$told" >"$port" || :
fi
exit 0
