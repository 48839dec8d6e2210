# shellcheck shell=bash
# Whether settings are good. Each check adds to `errors` what is wrong with a value and what would be right. Sourced by setup.
# shellcheck disable=SC2154

wrong() { # key, what is right
  errors+=("line ${line_of[$1]:-?}: $1: $2")
}

# Addresses as one number.
number_of() {
  local a b c d part
  IFS=. read -r a b c d <<<"$1"
  [[ $1 =~ ^[0-9]+\.[0-9]+\.[0-9]+\.[0-9]+$ ]] || return 1
  for part in "$a" "$b" "$c" "$d"; do [ ${#part} -le 3 ] && [ $((10#$part)) -le 255 ] || return 1; done
  echo $(((10#$a << 24) | (10#$b << 16) | (10#$c << 8) | 10#$d))
}

is_address() { number_of "$1" >/dev/null; }

is_network() { # address/prefix
  [[ $1 == */* ]] && is_address "${1%/*}" && [[ ${1#*/} =~ ^[0-9]{1,2}$ ]] && [ $((10#${1#*/})) -le 32 ]
}

# Two networks that share addresses.
overlap() {
  local one other shorter mask
  one=$(number_of "${1%/*}") other=$(number_of "${2%/*}")
  shorter=$((${1#*/} < ${2#*/} ? ${1#*/} : ${2#*/}))
  mask=$(((0xffffffff << (32 - shorter)) & 0xffffffff))
  [ $((one & mask)) -eq $((other & mask)) ]
}

printable() { # text: no control characters, valid UTF-8
  printf '%s' "$1" | iconv -f UTF-8 -t UTF-32 >/dev/null 2>&1 && ! printf '%s' "$1" | LC_ALL=C grep -q '[[:cntrl:]]'
}

bytes() { local LC_ALL=C; echo ${#1}; }

check_site_name() {
  printable "$1" && [ ${#1} -le 64 ] || wrong site_name "1 to 64 characters"
}

check_hostname() {
  [[ $1 =~ ^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$ ]] || wrong hostname "1 to 63 small letters, digits and hyphens, for example gateway"
}

check_timezone() {
  [[ $1 =~ ^[A-Za-z0-9_+-]+(/[A-Za-z0-9_+-]+)*$ ]] && [ -f "/usr/share/zoneinfo/$1" ] ||
    wrong timezone "there is no time zone \"$1\"; for example Asia/Kolkata"
}

check_ssh_key() {
  local line one
  one=$(mktemp -p "$run")
  while IFS= read -r line; do
    printf '%s\n' "$line" >"$one"
    case $line in
      *PRIVATE*) wrong ssh_key "that is a private key; take the line of the .pub file" ;;
      ssh-* | ecdsa-* | sk-*)
        ! command -v ssh-keygen >/dev/null || ssh-keygen -l -f "$one" >/dev/null 2>&1 ||
          wrong ssh_key "\"${line:0:30}...\" is not a whole public key; take the one line of the .pub file" ;;
      *) wrong ssh_key "\"${line:0:30}\" is not a public key; take the one line of the .pub file, it begins with ssh-" ;;
    esac
  done <<<"$1"
  rm -f "$one"
}

check_page_password() {
  printable "$1" && [ ${#1} -ge 8 ] && [ "$(bytes "$1")" -le 256 ] || wrong page_password "8 to 256 characters"
}

check_wifi_ssid() {
  printable "$1" && [ "$(bytes "$1")" -le 32 ] || wrong wifi_ssid "1 to 32 bytes; letters outside ASCII take two to four"
}

check_wifi_passphrase() {
  # The protocol takes ASCII only.
  [[ $1 =~ ^[[:print:]]{8,63}$ ]] && printf '%s' "$1" | iconv -f ASCII -t ASCII >/dev/null 2>&1 ||
    wrong wifi_passphrase "8 to 63 letters, digits and signs of ASCII; here are ${#1}"
}

check_wifi_country() {
  [[ $1 =~ ^[A-Z]{2}$ ]] && { [ ! -e /usr/share/zoneinfo/iso3166.tab ] || grep -q "^$1"$'\t' /usr/share/zoneinfo/iso3166.tab; } ||
    wrong wifi_country "two capital letters of a country, for example IN"
}

check_wifi_channel() {
  [[ $1 =~ ^([1-9]|1[0-3])$ ]] || wrong wifi_channel "1 to 13"
}

check_wifi_security() { is_word_of "$1" "wpa2 wpa2-wpa3 wpa3" || wrong wifi_security "wpa2, wpa2-wpa3 or wpa3"; }
check_wifi_interface() { [[ $1 =~ ^wlan[0-9]$ ]] || wrong wifi_interface "wlan0 to wlan9"; }
check_nodes_on_lan() { is_word_of "$1" "yes no" || wrong nodes_on_lan "yes or no"; }

check_nodes_network() {
  is_network "$1" && [ "${1#*/}" -ge 16 ] && [ "${1#*/}" -le 26 ] && is_host "$1" && overlap "$1" "$(private_of "$1")" ||
    wrong nodes_network "the gateway's private address and a prefix of 16 to 26, for example 10.77.0.1/24"
}

# An address in a network that is neither the network's own nor everybody's.
is_host() {
  local number mask
  number=$(number_of "${1%/*}")
  mask=$(((1 << (32 - ${1#*/})) - 1))
  [ $((number & mask)) -ne 0 ] && [ $((number & mask)) -ne "$mask" ]
}

private_of() { # the private range an address would have to be in
  case $1 in 10.*) echo 10.0.0.0/8 ;; 192.*) echo 192.168.0.0/16 ;; *) echo 172.16.0.0/12 ;; esac
}

check_uplink() {
  [ "$1" = dhcp ] || { is_network "$1" && [ "${1#*/}" -ge 8 ] && [ "${1#*/}" -le 30 ] && is_host "$1"; } ||
    wrong uplink "dhcp, or an address with its prefix, for example 192.168.1.20/24"
}

check_uplink_router() { is_address "$1" || wrong uplink_router "an address, for example 192.168.1.1"; }

check_uplink_dns() {
  local one
  for one in $1; do is_address "$one" || wrong uplink_dns "addresses with spaces between them; \"$one\" is none"; done
}

check_page_from() {
  local one
  for one in $1; do
    is_network "$one" && [ "${one#*/}" -ge 8 ] ||
      wrong page_from "networks with spaces between them, none larger than /8, for example 192.168.1.0/24; \"$one\" is none"
  done
}

# What a setting means beside the others.
check_together() {
  local -A all=()
  local key
  for key in "${!setting[@]}"; do all[$key]=${setting[$key]}; done
  for key in "${!given[@]}"; do all[$key]=${given[$key]}; done
  if [ "${all[wifi_ssid]}" != none ]; then
    [ -n "${all[wifi_passphrase]:-}" ] || errors+=("wifi_passphrase is missing: an access point needs one")
    [ -n "${all[wifi_country]:-}" ] || errors+=("wifi_country is missing: an access point has to keep a country's radio rules")
    case ${all[wifi_country]:-}-${all[wifi_channel]} in
      US-1[23] | CA-1[23]) errors+=("wifi_channel: ${all[wifi_country]} has channels 1 to 11 only") ;;
    esac
  fi
  if [ "${all[uplink]}" = dhcp ]; then
    [ -z "${given[uplink_router]:-}" ] || errors+=("line ${line_of[uplink_router]}: uplink_router is for an uplink with an address; DHCP brings its own")
    return
  fi
  ! overlap "${all[uplink]}" "${all[nodes_network]}" ||
    errors+=("uplink and nodes_network share addresses: ${all[uplink]} and ${all[nodes_network]}; choose another nodes_network")
  [ -z "${all[uplink_router]:-}" ] || overlap "${all[uplink]}" "${all[uplink_router]}/${all[uplink]#*/}" ||
    errors+=("uplink_router ${all[uplink_router]} is not in the network of ${all[uplink]}")
}

check_all() {
  local key
  for key in "${keys[@]}"; do "check_$key" "${given[$key]}"; done
  [ ${#errors[@]} -gt 0 ] || check_together
}
