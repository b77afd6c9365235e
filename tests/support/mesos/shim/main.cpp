// Apache Mesos 1.11.0 as one program: a master, or an agent, or (by its other name) the agent's container helper.
//
//   mesos-node master|agent WORK_DIR     configured by Mesos's own MESOS_* and LIBPROCESS_* variables
//   mesos-containerizer SUBCOMMAND ...   see containerizer.cpp
//
// Both roles start through libmesos' combined launcher: a master is one with no agents, an agent is one whose detector
// has been told of another process's master (see redirect.cpp).
//
//   MPE_MESOS_LIFELINE=FD   the process ends when the other end of that pipe is closed, so nothing outlives a test
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>

#include <fcntl.h>
#include <pthread.h>
#include <unistd.h>

#include "libmesos.h"
#include "shim.h"

namespace {

void* hold_lifeline(void* argument) {
  char byte;
  while (read(static_cast<int>(reinterpret_cast<long>(argument)), &byte, 1) > 0) {
  }
  _exit(0);
}

void watch_lifeline() {
  const char* text = getenv("MPE_MESOS_LIFELINE");
  if (text == nullptr) return;
  long descriptor = atol(text);
  fcntl(static_cast<int>(descriptor), F_SETFD, FD_CLOEXEC);
  unsetenv("MPE_MESOS_LIFELINE");
  pthread_t thread;
  pthread_create(&thread, nullptr, hold_lifeline, reinterpret_cast<void*>(descriptor));
}

// local::Flags holds the work directory as a string and, right behind it, the number of agents.  The string is found
// by its default, which is made of TMPDIR.
void* combined_flags(const char* work_dir, int agents) {
  const std::string expected = "/mpe-shim/mesos/work";
  setenv("TMPDIR", "/mpe-shim", 1);
  char* flags = static_cast<char*>(blank());
  local_flags(flags);
  unsetenv("TMPDIR");
  for (char* at = flags; at < flags + 4096; at += sizeof(void*)) {
    auto* text = reinterpret_cast<std::string*>(at);
    if (text->size() != expected.size() || text->data() == nullptr || expected != *text) continue;
    text->assign(work_dir);
    *reinterpret_cast<int*>(text + 1) = agents;
    return flags;
  }
  fprintf(stderr, "mesos-node: local::Flags has no work directory where one was expected\n");
  _exit(1);
}

}  // namespace

int main(int argc, char** argv) {
  const char* slash = strrchr(argv[0], '/');
  if (strcmp(slash ? slash + 1 : argv[0], "mesos-containerizer") == 0) return containerizer_main(argc, argv);
  const bool agent = argc == 3 && strcmp(argv[1], "agent") == 0;
  if (!agent && !(argc == 3 && strcmp(argv[1], "master") == 0)) {
    fprintf(stderr, "usage: mesos-node master|agent WORK_DIR\n");
    return 2;
  }
  watch_lifeline();
  setenv("GLOG_logtostderr", "1", 0);
  void* flags = combined_flags(argv[2], agent ? 1 : 0);
  OptionalString delegate(agent ? "slave(1)" : "master");  // who answers on paths that name no process
  OptionalString readwrite("mesos-master-readwrite"), readonly("mesos-master-readonly");
  process_initialize(&delegate, &readwrite, &readonly);
  redirect_functions();
  local_launch(blank(), flags, nullptr);
  for (;;) pause();
}
