"""What dnf and zypper have in common: rpm-md repositories, the keys that sign them, rpm itself."""
