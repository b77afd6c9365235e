// mesos-containerizer: the helper that the agent starts to become a container's first process.
//
// Two of its subcommands are wired: `launch`, for every container, and `network-cni-setup`, for the network/cni
// isolator.  The agent passes flags as arguments and as MESOS_CONTAINERIZER_* variables.
#include "shim.h"

#include <cstdio>
#include <cstring>
#include <new>

#include "libmesos.h"

namespace {

// MesosContainerizerLaunch has no exported constructor: table pointer, name, the base's flags, own flags.
constexpr size_t kName = 0x08, kBaseFlags = 0x28, kOwnFlags = 0xe0;

bool load(void* flags, int argc, char** argv) {
  OptionalString prefix("MESOS_CONTAINERIZER_");
  void* warnings = blank();  // Try<Warnings>: 0 when it succeeded
  flags_load(warnings, flags, &prefix, argc - 1, argv + 1, false, false);
  if (*static_cast<int*>(warnings) == 0) return true;
  fprintf(stderr, "mesos-containerizer: the flags of '%s' cannot be parsed\n", argv[1]);
  return false;
}

int launch(int argc, char** argv) {
  char* self = static_cast<char*>(blank());
  *reinterpret_cast<void***>(self) = launch_vtable + 2;  // past the offset to top and the type information
  new (self + kName) std::string("launch");
  flags_base(self + kBaseFlags);
  launch_flags(self + kOwnFlags);
  return load(launch_get_flags(self), argc, argv) ? launch_execute(self) : 1;
}

int network_setup(int argc, char** argv) {
  void* self = blank();
  cni_setup(self);
  return load(cni_setup_get_flags(self), argc, argv) ? cni_setup_execute(self) : 1;
}

}  // namespace

int containerizer_main(int argc, char** argv) {
  const char* command = argc > 1 ? argv[1] : "";
  if (strcmp(command, "launch") == 0) return launch(argc, argv);
  if (strcmp(command, "network-cni-setup") == 0) return network_setup(argc, argv);
  fprintf(stderr, "mesos-containerizer: subcommand '%s' is not available, only launch and network-cni-setup\n", command);
  return 1;
}
