// The parts of the shim: what main.cpp needs of the other two files.
#pragma once

// Runs mesos-containerizer's subcommand; returns its exit status.
int containerizer_main(int argc, char** argv);

// Redirects functions of libmesos, as the MPE_MESOS_* variables ask.  Call after process_initialize, before the launch.
void redirect_functions();
