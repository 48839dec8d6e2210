# shellcheck shell=bash
# Reading and keeping settings. Sourced by setup.
# shellcheck disable=SC2154

known="site_name hostname timezone ssh_key page_password wifi_ssid wifi_passphrase wifi_country wifi_channel wifi_security
  wifi_interface nodes_network uplink uplink_router uplink_dns page_from nodes_on_lan"
secrets="wifi_passphrase page_password"

is_word_of() { # word, list
  local word
  for word in $2; do [ "$word" != "$1" ] || return 0; done
  return 1
}

trimmed() {
  local text=$1
  text=${text#"${text%%[![:space:]]*}"}
  text=${text%"${text##*[![:space:]]}"}
  printf '%s' "$text"
}

# What a line of the file says: sets key and value, or ends with 1 where it says nothing. As editors of any system write it.
split_line() {
  local line=$1
  line=${line%$'\r'} line=${line#$'\xef\xbb\xbf'}
  line=$(trimmed "$line")
  case $line in "" | "#"*) return 1 ;; esac
  key=$(trimmed "${line%%=*}")
  value=
  [ "${line#*=}" = "$line" ] || value=$(trimmed "${line#*=}")
  # A value may stand in quotes.
  if [ ${#value} -ge 2 ] && [[ $value == \"*\" ]]; then value=${value:1:${#value}-2}; fi
}

read_file() { # the file people write
  local line number=0 key value
  while IFS= read -r line || [ -n "$line" ]; do
    number=$((number + 1))
    split_line "$line" || continue
    if [[ $line != *=* ]]; then
      errors+=("line $number: \"$key\" has no =; write key = value")
    elif ! is_word_of "$key" "$known"; then
      errors+=("line $number: there is no setting \"$key\"; the settings are: $(echo $known)")
    elif [ -z "$value" ]; then
      errors+=("line $number: $key has no value; put a # before the line to leave it as it is")
    elif [ "$key" = ssh_key ] && [ -n "${given[ssh_key]:-}" ]; then
      given[ssh_key]+=$'\n'$value
    elif [ -n "${given[$key]:-}" ]; then
      errors+=("line $number: $key stands in line ${line_of[$key]} already")
    else
      given[$key]=$value line_of[$key]=$number keys+=("$key")
    fi
  done < <(tr -d '\000' <"$1")
}

# Kept as key=value, an ssh key a line.
read_settings() {
  local line key value
  [ -e "$1" ] || return 0
  while IFS= read -r line; do
    key=${line%%=*} value=${line#*=}
    is_word_of "$key" "$known" || continue
    if [ "$key" = ssh_key ] && [ -n "${setting[ssh_key]:-}" ]; then value=${setting[ssh_key]}$'\n'$value; fi
    setting[$key]=$value
  done <"$1"
}

save_settings() {
  local key text
  text=$(for key in $known; do
    while [ -n "${setting[$key]:-}" ] && IFS= read -r line; do printf '%s=%s\n' "$key" "$line"; done <<<"${setting[$key]:-}"
  done)
  [ "$(cat "$1" 2>/dev/null)" != "$text" ] || return 0
  printf '%s\n' "$text" >"$1.new" && sync "$1.new" && mv "$1.new" "$1" && sync -f "$1" && return 0
  errors+=("the settings could not be written to $1: is the state partition full, or the card worn out?")
  return 1
}

fill_defaults() {
  : "${setting[hostname]:=gateway}" "${setting[wifi_ssid]:=none}" "${setting[wifi_channel]:=6}" "${setting[wifi_security]:=wpa2}"
  : "${setting[wifi_interface]:=wlan0}" "${setting[nodes_network]:=10.77.0.1/24}" "${setting[uplink]:=dhcp}"
  : "${setting[page_from]:=10.0.0.0/8 172.16.0.0/12 192.168.0.0/16 169.254.0.0/16}" "${setting[nodes_on_lan]:=no}"
}

# The file without its secrets; nothing where there are none in it.
scrubbed() {
  local line key value found=
  while IFS= read -r line || [ -n "$line" ]; do
    if split_line "$line" && is_word_of "$key" "$secrets"; then
      found=yes
      printf '# %s was taken and removed. To change it, write it here anew:\n#%s =\n' "$key" "$key"
    else
      printf '%s\n' "$line"
    fi
  done < <(tr -d '\000' <"$1") >"$run/scrubbed"
  [ -z "$found" ] || cat "$run/scrubbed"
  rm -f "$run/scrubbed"
}
