// The few functions of libmesos 1.11.0 that the shim calls.
//
// The Python extension that holds libmesos comes without headers.  A class of Mesos is therefore a zeroed block of
// memory that is large enough (`blank`), handed to a constructor by its mangled name.  Layouts that this relies on
// are those of the x86-64 build whose digest build.py pins; they are named where they are used.
#pragma once

#include <cstdlib>
#include <string>

#define MANGLED(name) __asm__(name)
#define STRING "NSt7__cxx1112basic_stringIcSt11char_traitsIcESaIcEEE"
#define QOS_LIST "NSt7__cxx114listIN5mesos5slave13QoSCorrectionESaIS5_EEEE"

// Room for the largest object made here (the flags of master, agent and both together take less than 16 KiB).
inline void* blank() { return calloc(1, 64 * 1024); }

// stout's Option<std::string>: an enumeration (0 some, 1 none), then the value.
struct OptionalString {
  int none = 1;
  union { std::string value; };
  OptionalString() {}
  explicit OptionalString(const char* text) : none(0) { new (&value) std::string(text); }
  ~OptionalString() {}  // never destroyed: these live as long as the process
};

// libprocess and the combined start-up of `mesos-local`.
bool process_initialize(const OptionalString* delegate, const OptionalString* readwrite, const OptionalString* readonly)
    MANGLED("_ZN7process10initializeERK6OptionI" STRING "ES9_S9_");
void local_flags(void* self) MANGLED("_ZN5mesos8internal5local5FlagsC1Ev");
void* local_launch(void* returned, const void* flags, void* allocator)
    MANGLED("_ZN5mesos8internal5local6launchERKNS1_5FlagsEPNS_9allocator9AllocatorE");

// Which master leads.
#define DETECTOR_APPOINT "_ZN5mesos6master8detector24StandaloneMasterDetector7appointERK6OptionINS_10MasterInfoEE"
void upid(void* self, const std::string* text) MANGLED("_ZN7process4UPIDC1ERK" STRING);
void detector_appoint_upid(void* self, const void* upid)
    MANGLED("_ZN5mesos6master8detector24StandaloneMasterDetector7appointERKN7process4UPIDE");

#define CONTAINERIZER_CREATE \
  "_ZN5mesos8internal5slave13Containerizer6createERKNS1_5FlagsEbPNS1_7FetcherEPNS1_16GarbageCollectorEPNS_14Secret" \
  "ResolverEPNS1_16VolumeGidManagerEPNS0_20PendingFutureTrackerEPNS1_9CSIServerE"

// Protocol buffers, resources and corrections.
bool message_parse(void* message, const void* data, int size)
    MANGLED("_ZN6google8protobuf11MessageLite14ParseFromArrayEPKvi");
void resource(void* self) MANGLED("_ZN5mesos8ResourceC1Ev");
void resources(void* self, const void* vector) MANGLED("_ZN5mesos9ResourcesC1ERKSt6vectorINS_8ResourceESaIS2_EE");
void* resources_add(void* self, const void* resource) MANGLED("_ZN5mesos9ResourcespLERKNS_8ResourceE");
void future_resources(void* self) MANGLED("_ZN7process6FutureIN5mesos9ResourcesEEC1Ev");
bool future_resources_set(void* self, const void* resources)
    MANGLED("_ZN7process6FutureIN5mesos9ResourcesEE3setERKS2_");
void qos_correction(void* self) MANGLED("_ZN5mesos5slave13QoSCorrectionC1Ev");
void future_qos_list(void* self) MANGLED("_ZN7process6FutureI" QOS_LIST "C1Ev");
#define ESTIMATE "_ZN5mesos8internal5slave21NoopResourceEstimator16oversubscribableEv"
#define CORRECTIONS "_ZN5mesos8internal5slave17NoopQoSController11correctionsB5cxx11Ev"

// The helper program mesos-containerizer.
void flags_base(void* self) MANGLED("_ZN5flags9FlagsBaseC1Ev");
void* flags_load(void* returned, void* self, const OptionalString* prefix, int argc, const char* const* argv,
                 bool unknowns, bool duplicates) MANGLED("_ZN5flags9FlagsBase4loadERK6OptionI" STRING "EiPKPKcbb");
void launch_flags(void* self) MANGLED("_ZN5mesos8internal5slave24MesosContainerizerLaunch5FlagsC1Ev");
void* launch_get_flags(void* self) MANGLED("_ZN5mesos8internal5slave24MesosContainerizerLaunch8getFlagsEv");
int launch_execute(void* self) MANGLED("_ZN5mesos8internal5slave24MesosContainerizerLaunch7executeEv");
extern void* launch_vtable[] MANGLED("_ZTVN5mesos8internal5slave24MesosContainerizerLaunchE");
void cni_setup(void* self) MANGLED("_ZN5mesos8internal5slave23NetworkCniIsolatorSetupC1Ev");
void* cni_setup_get_flags(void* self) MANGLED("_ZN5mesos8internal5slave23NetworkCniIsolatorSetup8getFlagsEv");
int cni_setup_execute(void* self) MANGLED("_ZN5mesos8internal5slave23NetworkCniIsolatorSetup7executeEv");
