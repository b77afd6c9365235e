// Functions of libmesos that behave differently here than in mesos-local.
//
//   MPE_MESOS_MASTER=IP:PORT     the agent registers with that master; the master inside this process never leads
//   MPE_MESOS_REVOCABLE=FILE     what the resource estimator reports: serialized mesos.Resource messages
//   MPE_MESOS_QOS=FILE           when FILE appears it is consumed: serialized mesos.slave.QoSCorrection messages
//
// Each message in a file is preceded by its length (4 bytes, little endian).  libmesos calls its own functions
// directly, not through a table that a linker could redirect, so the first bytes of a function are overwritten with a
// jump.
#include "shim.h"

#include <dlfcn.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <list>
#include <string>
#include <vector>

#include "libmesos.h"

namespace {

constexpr size_t kJump = 14;  // jmp [rip+0], then the address
constexpr size_t kPage = 4096;

class Redirection {
 public:
  void install(const char* symbol, void* target) {
    entry_ = static_cast<unsigned char*>(dlsym(RTLD_DEFAULT, symbol));
    if (entry_ == nullptr) fail(symbol);
    void* page = reinterpret_cast<void*>(reinterpret_cast<uintptr_t>(entry_) & ~(kPage - 1));
    if (mprotect(page, 2 * kPage, PROT_READ | PROT_WRITE | PROT_EXEC) != 0) fail(symbol);
    memcpy(original_, entry_, kJump);
    const unsigned char jump[6] = {0xff, 0x25, 0, 0, 0, 0};
    memcpy(entry_, jump, sizeof jump);
    memcpy(entry_ + sizeof jump, &target, sizeof target);
  }

  void* restore() {
    memcpy(entry_, original_, kJump);
    return entry_;
  }

 private:
  static void fail(const char* symbol) {
    fprintf(stderr, "shim: cannot redirect %s\n", symbol);
    _exit(1);
  }

  unsigned char* entry_ = nullptr;
  unsigned char original_[kJump];
};

Redirection appointing, creating, estimating, correcting;

std::vector<std::string> messages(const char* path) {
  std::vector<std::string> found;
  FILE* file = fopen(path, "rb");
  if (file == nullptr) return found;
  uint32_t length;
  while (fread(&length, sizeof length, 1, file) == 1 && length < (1 << 20)) {
    std::string message(length, '\0');
    if (fread(&message[0], 1, length, file) != length) break;
    found.push_back(message);
  }
  fclose(file);
  return found;
}

void parse(void* message, const std::string& bytes) {
  if (message_parse(message, bytes.data(), static_cast<int>(bytes.size()))) return;
  fprintf(stderr, "shim: a message of %zu bytes cannot be parsed\n", bytes.size());
  _exit(1);
}

void appoint(void* detector, const void*) {
  void* leader = blank();
  std::string text = std::string("master@") + getenv("MPE_MESOS_MASTER");
  upid(leader, &text);
  detector_appoint_upid(detector, leader);
}

// mesos-local tells the containerizer that it is local, which sends the output of executors to its own.  Saying that
// it is not gives every executor stdout and stderr files in its sandbox, as under mesos-agent.
void* create(void* returned, const void* flags, bool, void* a, void* b, void* c, void* d, void* e, void* f) {
  using Create = void* (*)(void*, const void*, bool, void*, void*, void*, void*, void*, void*);
  return reinterpret_cast<Create>(creating.restore())(returned, flags, false, a, b, c, d, e, f);
}

void* estimate(void* returned, void*) {
  const void* empty_vector[3] = {};
  void* total = blank();
  resources(total, empty_vector);
  for (const std::string& bytes : messages(getenv("MPE_MESOS_REVOCABLE"))) {
    void* one = blank();
    resource(one);
    parse(one, bytes);
    resources_add(total, one);
    free(one);
  }
  future_resources(returned);
  future_resources_set(returned, total);
  free(total);  // the blocks are freed because this runs every second; what they point to is small
  return returned;
}

struct Correction {
  alignas(8) char bytes[40];  // sizeof(mesos::slave::QoSCorrection)
};

// A ready Future<list<QoSCorrection>>.  There is no exported way to complete one, so its shared data is written:
// state at 4 (1 is ready), then Result<list> as Try at 0x10, Option at 0x18 and the list itself at 0x20.
void* correct(void* returned, void*) {
  future_qos_list(returned);
  char* data = *static_cast<char**>(returned);
  auto* list = new (data + 0x20) std::list<Correction>();
  const char* path = getenv("MPE_MESOS_QOS");
  for (const std::string& bytes : messages(path)) {
    list->emplace_back();
    qos_correction(&list->back());
    parse(&list->back(), bytes);
    unlink(path);
  }
  *reinterpret_cast<int*>(data + 0x10) = 0;
  *reinterpret_cast<int*>(data + 0x18) = 0;
  *reinterpret_cast<int*>(data + 0x04) = 1;
  return returned;
}

}  // namespace

void redirect_functions() {
  creating.install(CONTAINERIZER_CREATE, reinterpret_cast<void*>(create));
  if (getenv("MPE_MESOS_MASTER")) appointing.install(DETECTOR_APPOINT, reinterpret_cast<void*>(appoint));
  if (getenv("MPE_MESOS_REVOCABLE")) estimating.install(ESTIMATE, reinterpret_cast<void*>(estimate));
  if (getenv("MPE_MESOS_QOS")) correcting.install(CORRECTIONS, reinterpret_cast<void*>(correct));
}
