package org.apache.mesos;

import java.util.Collection;
import org.apache.mesos.protobuf.ByteString;
import org.apache.mesos.v1.Protos;
import org.apache.mesos.v1.Protos.AgentID;
import org.apache.mesos.v1.Protos.ExecutorID;
import org.apache.mesos.v1.Protos.FrameworkID;
import org.apache.mesos.v1.Protos.TaskID;
import org.apache.mesos.v1.scheduler.Protos.Call;

/** What a scheduler says to the master, in the v1 form (include/mesos/v1/scheduler/scheduler.proto). */
final class Calls {
  private volatile Protos.FrameworkInfo framework;

  Calls(org.apache.mesos.Protos.FrameworkInfo framework) {
    this.framework = Versions.convert(framework, Protos.FrameworkInfo.parser());
  }

  /** The master's answer to the first subscription; every later call carries it. */
  void setFrameworkId(FrameworkID id) {
    framework = framework.toBuilder().setId(id).build();
  }

  Call subscribe() {
    return call(Call.Type.SUBSCRIBE)
        .setSubscribe(Call.Subscribe.newBuilder().setFrameworkInfo(framework))
        .build();
  }

  Call teardown() {
    return call(Call.Type.TEARDOWN).build();
  }

  Call revive() {
    return call(Call.Type.REVIVE).build();
  }

  Call suppress() {
    return call(Call.Type.SUPPRESS).build();
  }

  Call request(Collection<org.apache.mesos.Protos.Request> requests) {
    return call(Call.Type.REQUEST)
        .setRequest(Call.Request.newBuilder().addAllRequests(Versions.convert(requests, Protos.Request.parser())))
        .build();
  }

  Call accept(
      Collection<org.apache.mesos.Protos.OfferID> offers,
      Collection<org.apache.mesos.Protos.Offer.Operation> operations,
      org.apache.mesos.Protos.Filters filters) {
    return call(Call.Type.ACCEPT)
        .setAccept(
            Call.Accept.newBuilder()
                .addAllOfferIds(Versions.convert(offers, Protos.OfferID.parser()))
                .addAllOperations(Versions.convert(operations, Protos.Offer.Operation.parser()))
                .setFilters(Versions.convert(filters, Protos.Filters.parser())))
        .build();
  }

  Call decline(org.apache.mesos.Protos.OfferID offer, org.apache.mesos.Protos.Filters filters) {
    return call(Call.Type.DECLINE)
        .setDecline(
            Call.Decline.newBuilder()
                .addOfferIds(Versions.convert(offer, Protos.OfferID.parser()))
                .setFilters(Versions.convert(filters, Protos.Filters.parser())))
        .build();
  }

  Call kill(org.apache.mesos.Protos.TaskID task) {
    return call(Call.Type.KILL)
        .setKill(Call.Kill.newBuilder().setTaskId(Versions.convert(task, TaskID.parser())))
        .build();
  }

  Call acknowledge(org.apache.mesos.Protos.TaskStatus status) {
    return call(Call.Type.ACKNOWLEDGE)
        .setAcknowledge(
            Call.Acknowledge.newBuilder()
                .setAgentId(Versions.convert(status.getSlaveId(), AgentID.parser()))
                .setTaskId(Versions.convert(status.getTaskId(), TaskID.parser()))
                .setUuid(status.getUuid()))
        .build();
  }

  Call message(org.apache.mesos.Protos.ExecutorID executor, org.apache.mesos.Protos.SlaveID agent, byte[] data) {
    return call(Call.Type.MESSAGE)
        .setMessage(
            Call.Message.newBuilder()
                .setExecutorId(Versions.convert(executor, ExecutorID.parser()))
                .setAgentId(Versions.convert(agent, AgentID.parser()))
                .setData(ByteString.copyFrom(data)))
        .build();
  }

  /** No statuses ask for all of the framework's tasks. */
  Call reconcile(Collection<org.apache.mesos.Protos.TaskStatus> statuses) {
    Call.Reconcile.Builder reconcile = Call.Reconcile.newBuilder();
    for (org.apache.mesos.Protos.TaskStatus status : statuses) {
      Call.Reconcile.Task.Builder task = reconcile.addTasksBuilder();
      task.setTaskId(Versions.convert(status.getTaskId(), TaskID.parser()));
      if (status.hasSlaveId()) {
        task.setAgentId(Versions.convert(status.getSlaveId(), AgentID.parser()));
      }
    }
    return call(Call.Type.RECONCILE).setReconcile(reconcile).build();
  }

  private Call.Builder call(Call.Type type) {
    Call.Builder builder = Call.newBuilder().setType(type);
    if (framework.hasId()) {
      builder.setFrameworkId(framework.getId());
    }
    return builder;
  }
}
