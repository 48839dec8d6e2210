# shellcheck shell=bash
# What settings become: the page's password, the gateway's configuration, and for each start network, firewall and access point.
# Sourced by setup.
# shellcheck disable=SC2154

# The person `operator`; taken over by the daemon's next start.
set_password() {
  [ -n "${given[page_password]:-}" ] || return 0
  local said
  if said=$(printf '%s\n%s\n' "${given[page_password]}" "${given[page_password]}" |
    prepaid-gateway operator set-password --data $data 2>&1); then
    rm -f $config/first-password
    return 0
  fi
  wrong page_password "$said"
  return 1
}

# Every gateway has a password of its own from the beginning; a person before the screen can read it once.
first_password() {
  [ ! -e $data/operator-password ] && [ ! -e $data/gateway.db ] || return 0
  command -v prepaid-gateway >/dev/null || return 0
  local said password
  said=$(prepaid-gateway --json operator set-password --generate --data $data)
  password=$(sed -n 's/.*"password": *"\([^"]*\)".*/\1/p' <<<"$said")
  [ -n "$password" ] || { echo "no first password could be made: $said" >&2; return 1; }
  printf '%s\n' "$password" >$config/first-password
  mkdir -p /run/issue.d
  printf 'First password of the page, for the person operator: %s\n(shown at this start only; set your own on the page)\n\n' \
    "$password" >/run/issue.d/first-password.issue
  chmod 644 /run/issue.d/first-password.issue
}

toml_text() { # a text in quotes
  local text=${1//\\/\\\\}
  printf '"%s"' "${text//\"/\\\"}"
}

# Sets a key in the section [site] of a configuration, also where it stands commented out.
with_site_key() { # key, value as TOML; from standard input
  KEY=$1 VALUE=$2 awk '
    function put() { print ENVIRON["KEY"] " = " ENVIRON["VALUE"]; done = 1 }
    /^\[/ { if (inside && !done) put(); inside = ($0 ~ /^\[site\]/) }
    inside && !done && $0 ~ "^#?[ ]*" ENVIRON["KEY"] "[ ]*=" { put(); next }
    { print }
    END { if (!done) { if (!inside) print "[site]"; put() } }'
}

# Minutes are never summer time: the gateway's days have one offset all year.
standard_offset() {
  { TZ=$1 date -d '2026-01-15 00:00 UTC' +%:z; TZ=$1 date -d '2026-07-15 00:00 UTC' +%:z; } |
    awk -F: '{ m = ($1 < 0 || $1 ~ /^-/ ? -1 : 1) * (60 * ($1 < 0 ? -$1 : $1) + $2); if (NR == 1 || m < best) { best = m; text = $0 } } END { print text }'
}

set_config() {
  local toml=$config/gateway.toml new=$config/gateway.toml.new text said
  [ -e $toml ] || return 0
  text=$(cat $toml)
  [ -z "${given[site_name]:-}" ] || text=$(with_site_key name "$(toml_text "${given[site_name]}")" <<<"$text")
  [ -z "${given[timezone]:-}" ] || text=$(with_site_key utc_offset "\"$(standard_offset "${given[timezone]}")\"" <<<"$text")
  [ "$text" != "$(cat $toml)" ] || return 0
  printf '%s\n' "$text" >$new
  chmod --reference=$toml $new && chown --reference=$toml $new
  if ! said=$(prepaid-gateway check --config $new 2>&1); then
    rm -f $new
    errors+=("the configuration $toml would not be good with these settings: $said")
    return 1
  fi
  sync $new && mv $new $toml
}

lay_out() {
  mkdir -p /run/systemd/network
  lay_name
  lay_network
  lay_firewall
  lay_access_point
  # Keys of ssh, which sshd wants nobody else to be able to write.
  rm -f $run/authorized-keys-admin
  if [ -n "${setting[ssh_key]:-}" ]; then
    printf '%s\n' "${setting[ssh_key]}" >$run/authorized-keys-admin
    chmod 644 $run/authorized-keys-admin
  fi
  chmod 755 $run
}

lay_name() {
  printf '%s\n' "${setting[hostname]}" >$run/hostname
  printf '127.0.0.1 localhost\n127.0.1.1 %s\n::1 localhost ip6-localhost\n' "${setting[hostname]}" >$run/hosts
  ln -sf "/usr/share/zoneinfo/${setting[timezone]:-Etc/UTC}" $run/localtime
  chmod 644 $run/hostname $run/hosts
  hostname "${setting[hostname]}"
}

lay_network() {
  local nodes=/run/systemd/network/10-nodes.network uplink=/run/systemd/network/20-uplink.network
  rm -f $nodes
  if [ "${setting[wifi_ssid]}" != none ]; then
    cat >$nodes <<END
[Match]
Name=${setting[wifi_interface]}
[Link]
RequiredForOnline=no
[Network]
Address=${setting[nodes_network]}
ConfigureWithoutCarrier=yes
LinkLocalAddressing=no
IPv6AcceptRA=no
MulticastDNS=no
DHCPServer=yes
[DHCPServer]
PoolOffset=10
DefaultLeaseTimeSec=12h
EmitDNS=no
EmitRouter=no
EmitNTP=no
EmitTimezone=no
END
  fi
  {
    printf '[Match]\nName=eth0\n[Link]\nRequiredForOnline=no\n[Network]\nMulticastDNS=yes\n'
    if [ "${setting[uplink]}" = dhcp ]; then
      # An address of its own when nobody gives one: a notebook at the cable finds NAME.local.
      printf 'DHCP=yes\nLinkLocalAddressing=yes\n[DHCPv4]\nClientIdentifier=mac\nUseDomains=no\nUseHostname=no\n'
    else
      printf 'Address=%s\n' "${setting[uplink]}"
      [ -z "${setting[uplink_router]:-}" ] || printf 'Gateway=%s\n' "${setting[uplink_router]}"
      # shellcheck disable=SC2086
      [ -z "${setting[uplink_dns]:-}" ] || printf 'DNS=%s\n' ${setting[uplink_dns]}
    fi
  } >$uplink
  # A mobile stick is a way out when the cable has none.
  cat >/run/systemd/network/30-stick.network <<END
[Match]
Name=eth[1-9] usb* wwan*
[Link]
RequiredForOnline=no
[Network]
DHCP=yes
MulticastDNS=no
[DHCPv4]
ClientIdentifier=mac
RouteMetric=2048
UseDomains=no
UseHostname=no
END
  chmod 644 /run/systemd/network/*.network
}

elements() { # set, networks
  printf 'add element inet gateway %s { %s }\n' "$1" "$(echo $2 | sed 's/ /, /g')"
}

lay_firewall() {
  {
    [ "${setting[wifi_ssid]}" = none ] || elements nodes "${setting[nodes_network]}"
    elements page "${setting[page_from]}"
    [ "${setting[nodes_on_lan]}" = no ] || elements nodes_on_lan "${setting[page_from]}"
  } >$run/firewall.nft
}

lay_access_point() {
  rm -f $run/hostapd-*.conf
  [ "${setting[wifi_ssid]}" != none ] || return 0
  local management="WPA-PSK" frames=0
  case ${setting[wifi_security]} in
    wpa2-wpa3) management="WPA-PSK SAE" frames=1 ;;
    wpa3) management="SAE" frames=2 ;;
  esac
  cat >"$run/hostapd-${setting[wifi_interface]}.conf" <<END
interface=${setting[wifi_interface]}
driver=nl80211
ssid2=$(printf '%s' "${setting[wifi_ssid]}" | od -An -v -tx1 | tr -d ' \n')
utf8_ssid=1
country_code=${setting[wifi_country]}
ieee80211d=1
hw_mode=g
channel=${setting[wifi_channel]}
ieee80211n=1
wmm_enabled=1
auth_algs=1
wpa=2
wpa_key_mgmt=$management
rsn_pairwise=CCMP
ieee80211w=$frames
wpa_passphrase=${setting[wifi_passphrase]}
# Nodes talk to the gateway, not to each other.
ap_isolate=1
END
}

# The machine's own keys and name, once.
machine_keys() {
  [ -e $state/ssh/ssh_host_ed25519_key ] || ! command -v ssh-keygen >/dev/null ||
    ssh-keygen -q -t ed25519 -N '' -C "${setting[hostname]}" -f $state/ssh/ssh_host_ed25519_key
  # The only write to the root file system: who this machine is, for addresses by DHCP and the hour of its backups.
  if mountpoint -q /etc/machine-id; then
    "$here/root" open && systemd-machine-id-setup --commit && "$here/root" close
  fi
}
