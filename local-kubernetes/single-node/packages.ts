/** What runs containers and sets up their network and volumes, from Debian; the compiler fetches over TLS. */
export const nodePackages = [
  'busybox-static',
  'ca-certificates',
  'containerd',
  'containernetworking-plugins',
  'iproute2',
  'mount',
  'nftables',
  'runc',
] as const

/** Where the packages put it: not by `PATH`, in which our own link of that name may come first. */
export const CONTAINERD = '/usr/bin/containerd'
export const CNI_PLUGINS = '/usr/lib/cni'
