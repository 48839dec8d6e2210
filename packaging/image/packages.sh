# shellcheck shell=bash
# What is in the image, and what the builder itself needs. Sourced by build.
# shellcheck disable=SC2154,SC2034

# Enough for the first days; the first start lets it fill the card.
STATE_MIB=256

# A system that starts and is looked after; no interpreter beside the shell.
COMMON="systemd systemd-sysv systemd-timesyncd systemd-resolved dbus udev kmod iproute2 nftables openssh-server sudo adduser ca-certificates
  tzdata hostapd iw wireless-regdb e2fsprogs dosfstools fdisk procps netbase iputils-ping less nano age"

suite() { [ "$arch" = arm64 ] && echo trixie || echo bookworm; }
components() { [ "$arch" = arm64 ] && echo main,non-free-firmware || echo main; }
boot_mib() { [ "$arch" = arm64 ] && echo 512 || echo 256; }
# FAT32 for the Raspberry Pi; for a PC the partition its UEFI looks into.
boot_type() { [ "$arch" = arm64 ] && echo c || echo ef; }

packages() {
  local kernels=
  if [ -n "$kernel" ]; then
    case $arch in
      # Boot firmware and the radio's firmware are Broadcom's and Cypress's; Debian may pass them on, nobody may change them.
      arm64) kernels="linux-image-arm64 raspi-firmware firmware-brcm80211 initramfs-tools zstd" ;;
      amd64) kernels="linux-image-cloud-amd64 systemd-boot-efi initramfs-tools zstd" ;;
    esac
  fi
  # shellcheck disable=SC2086
  echo $COMMON $kernels
}

# Installs what this script needs.
tools() {
  local missing=() pair
  for pair in mmdebstrap:mmdebstrap mkfs.vfat:dosfstools mcopy:mtools sfdisk:fdisk mke2fs:e2fsprogs dpkg-deb:dpkg; do
    PATH=$PATH:/usr/sbin:/sbin command -v "${pair%%:*}" >/dev/null 2>&1 || missing+=("${pair#*:}")
  done
  if [ "$arch" != "$(dpkg --print-architecture)" ]; then
    command -v qemu-aarch64-static >/dev/null || missing+=(qemu-user-static)
    command -v arch-test >/dev/null || missing+=(arch-test)
  fi
  if [ ${#missing[@]} -gt 0 ]; then
    say "installing ${missing[*]}"
    apt-get update -qq
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends -o DPkg::Lock::Timeout=300 "${missing[@]}" >/dev/null
  fi
  PATH=$PATH:/usr/sbin:/sbin
  [ "$arch" = "$(dpkg --print-architecture)" ] || emulated
}

# Programs of the other architecture run under qemu, also in a chroot (flag F).
emulated() {
  local at=/proc/sys/fs/binfmt_misc
  [ "$arch" = arm64 ] || fail "$arch can only be built on $arch"
  [ -e $at/register ] || mount -t binfmt_misc none $at || fail "this kernel cannot run programs of $arch (binfmt_misc)"
  [ -e $at/qemu-aarch64 ] || cat /usr/lib/binfmt.d/qemu-aarch64.conf >$at/register
}
