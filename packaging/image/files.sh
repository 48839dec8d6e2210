# shellcheck shell=bash
# The image's files: $work/tree, $work/state and $work/boot. Sourced by build.
# shellcheck disable=SC2154

# Runs a command in the root that is being made; its mounts are gone when it ends.
inside() {
  # shellcheck disable=SC2016
  unshare --mount --propagation private -- sh -c '
    root=$1; shift
    mount -t proc proc "$root/proc" && mount -t sysfs sys "$root/sys" && mount --bind /dev "$root/dev" && mount -t tmpfs run "$root/run" || exit 1
    exec chroot "$root" /usr/bin/env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C.UTF-8 DEBIAN_FRONTEND=noninteractive "$@"
  ' sh "$work/tree" "$@"
}

files() {
  debian
  more_packages
  lay_tree
  [ -z "$gateway" ] || gateway_package
  site
  mounts
  [ -z "$kernel" ] || boot_"$arch"
  tidy
  split_state
}

debian() {
  if [ -n "$base" ]; then
    say "Debian $(suite) out of $base"
    mkdir "$work/tree"
    tar -xf "$base" -C "$work/tree"
  else
    say "Debian $(suite), the least of it"
    mmdebstrap --quiet --variant=minbase --mode=root --architectures="$arch" --components="$(components)" \
      --include=systemd,systemd-sysv,dbus,udev,ca-certificates "$(suite)" "$work/tree"
  fi
  printf '#!/bin/sh\nexit 101\n' >"$work/tree/usr/sbin/policy-rc.d"
  chmod 755 "$work/tree/usr/sbin/policy-rc.d"
}

# The initial RAM disk is made once, at the end, and only with what reaches the card: under emulation each takes minutes.
hold_initramfs() {
  [ -n "$kernel" ] || return 0
  mkdir -p "$work/tree/etc/initramfs-tools/conf.d" "$work/tree/etc/kernel/postinst.d"
  printf 'MODULES=list\nBUSYBOX=auto\nCOMPRESS=zstd\nCOMPRESSLEVEL=3\nFSTYPE=ext4\nRESUME=none\n' >"$work/tree/etc/initramfs-tools/conf.d/gateway-image"
  cp "$here/modules-$arch" "$work/tree/etc/initramfs-tools/modules"
  printf 'update_initramfs=no\nbackup_initramfs=no\n' >"$work/tree/etc/initramfs-tools/update-initramfs.conf"
}

more_packages() {
  say "packages of the image"
  # Made by the host's, for name service; the image's own comes with resolved.
  cp -L /etc/resolv.conf "$work/tree/etc/resolv.conf.build"
  rm -f "$work/tree/etc/resolv.conf"
  mv "$work/tree/etc/resolv.conf.build" "$work/tree/etc/resolv.conf"
  hold_initramfs
  inside apt-get update -qq
  # shellcheck disable=SC2046
  inside apt-get install -y -qq --no-install-recommends -o Dpkg::Options::=--force-confold -o Dpkg::Use-Pty=0 -o Dpkg::Options::=--force-unsafe-io \
    $(packages) >"$work/apt.log" 2>&1 || { tail -n 20 "$work/apt.log" >&2; fail "Debian's packages could not be installed"; }
}

gateway_package() {
  say "the gateway: $(basename "$deb")"
  cp "$deb" "$work/tree/gateway.deb"
  inside apt-get install -y -qq --no-install-recommends -o Dpkg::Options::=--force-unsafe-io /gateway.deb >"$work/apt.log" 2>&1 ||
    { tail -n 20 "$work/apt.log" >&2; fail "the gateway's package could not be installed"; }
  rm "$work/tree/gateway.deb"
  # The password it made is this image's, and so would be every gateway's: each makes its own at the first start.
  rm -f "$work/tree/var/lib/prepaid-gateway/"* "$work/tree/etc/prepaid-gateway/first-password"
}

lay_tree() {
  cp -r --no-preserve=ownership "$here/tree/." "$work/tree/"
  chmod 440 "$work/tree/etc/sudoers.d/gateway-image"
  inside useradd --create-home --shell /bin/bash --groups sudo,systemd-journal admin
  # No password is ever right; keys are.
  inside usermod -p '*' admin
}

site() {
  local unit
  mkdir -p "$work/tree/etc/gateway-image" "$work/tree/boot/firmware" "$work/tree/state" "$work/tree/media/backup" "$work/tree/mnt/backup"
  echo "DISK_ID=$disk_id" >"$work/tree/etc/gateway-image/disk"
  [ -z "$readonly" ] || : >"$work/tree/etc/gateway-image/read-only"
  mkdir -p "$work/tree/etc/systemd/system/gateway-grow.service.d"
  printf '[Unit]\nBefore=systemd-fsck@dev-disk-by\\x2dpartuuid-%s\\x2d03.service\n' "$disk_id" \
    >"$work/tree/etc/systemd/system/gateway-grow.service.d/disk.conf"
  for unit in gateway-grow gateway-setup nftables systemd-networkd systemd-resolved systemd-timesyncd ssh; do
    inside systemctl --quiet enable "$unit.service"
  done
  # Its access point is gateway-wifi@; nothing waits for a network; nothing is fetched by itself.
  inside systemctl --quiet mask hostapd.service systemd-networkd-wait-online.service apt-daily.timer apt-daily-upgrade.timer
  # Where settings are laid out at each start.
  rm -f "$work/tree/etc/hostname" "$work/tree/etc/hosts" "$work/tree/etc/localtime"
  ln -s /run/gateway-image/hostname "$work/tree/etc/hostname"
  ln -s /run/gateway-image/hosts "$work/tree/etc/hosts"
  ln -s /run/gateway-image/localtime "$work/tree/etc/localtime"
}

mounts() {
  local how=rw
  [ -z "$readonly" ] || how=ro
  cat >"$work/tree/etc/fstab" <<END
# The card. A partition that is missing does not keep the machine from starting, but the gateway from running.
PARTUUID=$disk_id-02 / ext4 $how,noatime,errors=remount-ro 0 1
PARTUUID=$disk_id-01 /boot/firmware vfat ro,noatime,umask=0077,nofail 0 2
PARTUUID=$disk_id-03 /state ext4 noatime,nodev,nosuid,nofail,x-systemd.growfs 0 2
# What lasts.
/state/lib/prepaid-gateway /var/lib/prepaid-gateway none bind,nofail,x-systemd.requires-mounts-for=/state 0 0
/state/lib/prepaid-gateway-update /var/lib/prepaid-gateway-update none bind,nofail,x-systemd.requires-mounts-for=/state 0 0
/state/etc/prepaid-gateway /etc/prepaid-gateway none bind,nofail,x-systemd.requires-mounts-for=/state 0 0
/state/lib/systemd /var/lib/systemd none bind,nofail,x-systemd.requires-mounts-for=/state 0 0
/state/home /home none bind,nofail,x-systemd.requires-mounts-for=/state 0 0
# What may be gone after a start.
tmpfs /tmp tmpfs nosuid,nodev,size=25%,mode=1777 0 0
tmpfs /var/tmp tmpfs nosuid,nodev,size=10%,mode=1777 0 0
tmpfs /var/log tmpfs nosuid,nodev,noexec,size=16M,mode=0755 0 0
END
}

# Asked of the kernel: its root by the partition table's number, so that it needs no udev; a repair needs nobody's yes.
kernel_line() {
  echo "root=PARTUUID=$disk_id-02 $([ -n "$readonly" ] && echo ro || echo rw) rootfstype=ext4 rootwait fsck.repair=yes net.ifnames=0 panic=10 $1"
}

boot_amd64() {
  local version
  version=$(cd "$work/tree/lib/modules" && echo *)
  say "initial RAM disk for $version"
  inside mkinitramfs -o /boot/initrd.img-"$version" "$version"
  mkdir -p "$work/boot/EFI/BOOT" "$work/boot/loader/entries"
  cp "$work/tree/boot/vmlinuz-$version" "$work/boot/vmlinuz"
  cp "$work/tree/boot/initrd.img-$version" "$work/boot/initrd.img"
  cp "$work/tree/usr/lib/systemd/boot/efi/systemd-bootx64.efi" "$work/boot/EFI/BOOT/BOOTX64.EFI"
  printf 'timeout 0\n' >"$work/boot/loader/loader.conf"
  printf 'title Prepaid gateway\nlinux /vmlinuz\ninitrd /initrd.img\noptions %s\n' "$(kernel_line "console=ttyS0 console=tty1 quiet")" \
    >"$work/boot/loader/entries/gateway.conf"
}

boot_arm64() {
  local version
  version=$(cd "$work/tree/lib/modules" && echo *)
  say "initial RAM disk for $version"
  printf 'ROOTPART=PARTUUID=%s-02\nCONSOLES=auto\nKERNEL_ARCH=arm64\n' "$disk_id" >"$work/tree/etc/default/raspi-firmware"
  inside mkinitramfs -o /boot/initrd.img-"$version" "$version"
  # Debian's own hook lays kernel, device trees, boot firmware and config.txt where the board looks for them.
  inside /etc/kernel/postinst.d/z50-raspi-firmware "$version" "/boot/vmlinuz-$version"
  # A contactor on a pin stays as it is when the gateway is restarted.
  kernel_line "console=ttyS1,115200 console=tty1 quiet pinctrl_bcm2835.persist_gpio_outputs=y" >"$work/tree/boot/firmware/cmdline.txt"
  mkdir -p "$work/boot"
  cp -r "$work/tree/boot/firmware/." "$work/boot/"
  rm -rf "$work/tree/boot/firmware/"*
}

# What belongs to no image: keys, names and numbers that each gateway makes for itself, lists and caches.
tidy() {
  local root=$work/tree
  mkdir -p "$work/boot"
  cp "$here/gateway-setup.txt" "$work/boot/"
  rm -f "$root/usr/sbin/policy-rc.d" "$root"/etc/ssh/ssh_host_* "$root/var/lib/dbus/machine-id" "$root/var/lib/systemd/random-seed"
  : >"$root/etc/machine-id"
  [ ! -d "$root/var/lib/dbus" ] || ln -s /etc/machine-id "$root/var/lib/dbus/machine-id"
  rm -rf "$root"/var/lib/apt/lists/* "$root"/var/cache/apt/* "$root"/var/log/* "$root"/tmp/* "$root"/var/tmp/* "$work/apt.log"
  rm -f "$root/etc/resolv.conf"
  ln -s /run/systemd/resolve/stub-resolv.conf "$root/etc/resolv.conf"
  [ -z "$kernel" ] || printf 'update_initramfs=yes\nbackup_initramfs=no\n' >"$root/etc/initramfs-tools/update-initramfs.conf"
}

# What lasts begins as the packages made it.
split_state() {
  local one
  mkdir -p "$work/state/lib" "$work/state/etc" "$work/state/site" "$work/state/ssh"
  chmod 700 "$work/state/site" "$work/state/ssh"
  for one in var/lib/prepaid-gateway:lib/prepaid-gateway var/lib/prepaid-gateway-update:lib/prepaid-gateway-update etc/prepaid-gateway:etc/prepaid-gateway var/lib/systemd:lib/systemd home:home; do
    mkdir -p "$work/tree/${one%%:*}"
    cp -a "$work/tree/${one%%:*}" "$work/state/${one#*:}"
  done
}
