package org.apache.mesos;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.util.Collection;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.atomic.AtomicReference;
import org.apache.mesos.Protos.Credential;
import org.apache.mesos.Protos.ExecutorID;
import org.apache.mesos.Protos.Filters;
import org.apache.mesos.Protos.FrameworkInfo;
import org.apache.mesos.Protos.MasterInfo;
import org.apache.mesos.Protos.Offer;
import org.apache.mesos.Protos.OfferID;
import org.apache.mesos.Protos.Request;
import org.apache.mesos.Protos.SlaveID;
import org.apache.mesos.Protos.Status;
import org.apache.mesos.Protos.TaskID;
import org.apache.mesos.Protos.TaskInfo;
import org.apache.mesos.Protos.TaskStatus;
import org.apache.mesos.v1.scheduler.Protos.Call;
import org.apache.mesos.v1.scheduler.Protos.Event;

/**
 * The class that frameworks such as Spark drive Mesos with, without the native library that the original needs: it
 * speaks the v1 scheduler HTTP API to the master (docs/scheduler-http-api.md).
 *
 * <p>Of the same name as the original, it takes effect by coming first on the class path. One thread reads events and
 * calls the scheduler, as the original does; calls are sent from the thread that makes them. A call that cannot be
 * sent while there is no master is dropped, as there too. Credentials are not supported.
 */
public class MesosSchedulerDriver implements SchedulerDriver {
  private static final int CONNECT_ATTEMPTS = 20;
  private static final int RETRY_MS = 250;

  private final Scheduler scheduler;
  private final boolean implicitAcknowledgements;
  private final MasterConnection master;
  private final Calls calls;
  private final AtomicReference<Status> status = new AtomicReference<>(Status.DRIVER_NOT_STARTED);
  private final CountDownLatch ended = new CountDownLatch(1);
  private boolean registeredBefore;
  private boolean connected;

  public MesosSchedulerDriver(Scheduler scheduler, FrameworkInfo framework, String master) {
    this(scheduler, framework, master, true);
  }

  public MesosSchedulerDriver(Scheduler scheduler, FrameworkInfo framework, String master, Credential credential) {
    this(scheduler, framework, master, true, credential);
  }

  public MesosSchedulerDriver(
      Scheduler scheduler, FrameworkInfo framework, String master, boolean implicit, Credential credential) {
    this(scheduler, framework, master, implicit);
    throw new UnsupportedOperationException("authentication");
  }

  /** {@code master}: host:port of the leading master, with or without "mesos://". */
  public MesosSchedulerDriver(
      Scheduler scheduler, FrameworkInfo framework, String master, boolean implicitAcknowledgements) {
    this.scheduler = scheduler;
    this.implicitAcknowledgements = implicitAcknowledgements;
    this.master = new MasterConnection(master.replaceFirst("^mesos://", ""));
    this.calls = new Calls(framework);
  }

  // --- life

  @Override
  public Status start() {
    if (status.compareAndSet(Status.DRIVER_NOT_STARTED, Status.DRIVER_RUNNING)) {
      Thread reader = new Thread(this::readEvents, "mesos-scheduler-driver");
      reader.setDaemon(true);
      reader.start();
    }
    return status.get();
  }

  /** Without {@code failover} the framework ends, and with it all of its tasks. */
  @Override
  public Status stop(boolean failover) {
    Status before = status.getAndSet(Status.DRIVER_STOPPED);
    if (before == Status.DRIVER_RUNNING && !failover) {
      send(calls.teardown());
    }
    end();
    return before == Status.DRIVER_ABORTED ? before : Status.DRIVER_STOPPED;
  }

  @Override
  public Status stop() {
    return stop(false);
  }

  @Override
  public Status abort() {
    status.compareAndSet(Status.DRIVER_RUNNING, Status.DRIVER_ABORTED);
    end();
    return status.get();
  }

  @Override
  public Status join() {
    try {
      ended.await();
    } catch (InterruptedException interrupted) {
      Thread.currentThread().interrupt();
    }
    return status.get();
  }

  @Override
  public Status run() {
    start();
    return join();
  }

  private void end() {
    master.close();
    ended.countDown();
  }

  // --- events

  private void readEvents() {
    int attempts = 0;
    while (isRunning()) {
      try {
        for (Event event : master.subscribe(calls.subscribe())) {
          attempts = 0;
          handle(event);
        }
      } catch (MasterConnection.Refused refused) {
        fail(refused.getMessage());
      } catch (IOException | UncheckedIOException failure) {
        if (++attempts > CONNECT_ATTEMPTS) {
          fail("no master at " + master + ": " + failure);
        }
      } catch (RuntimeException thrown) { // by the scheduler: the end of its driver, as in the original
        abort();
        throw thrown;
      }
      if (isRunning()) {
        disconnected();
        pause();
      }
    }
  }

  private void handle(Event event) {
    switch (event.getType()) {
      case SUBSCRIBED -> subscribed(event.getSubscribed());
      case OFFERS -> {
        List<Offer> offers = Versions.convert(event.getOffers().getOffersList(), Offer.parser());
        scheduler.resourceOffers(this, offers);
      }
      case RESCIND -> {
        OfferID offer = Versions.convert(event.getRescind().getOfferId(), OfferID.parser());
        scheduler.offerRescinded(this, offer);
      }
      case UPDATE -> updated(Versions.convert(event.getUpdate().getStatus(), TaskStatus.parser()));
      case MESSAGE -> {
        Event.Message message = event.getMessage();
        ExecutorID executor = Versions.convert(message.getExecutorId(), ExecutorID.parser());
        SlaveID agent = Versions.convert(message.getAgentId(), SlaveID.parser());
        scheduler.frameworkMessage(this, executor, agent, message.getData().toByteArray());
      }
      case FAILURE -> failed(event.getFailure());
      case ERROR -> fail(event.getError().getMessage());
      default -> {} // heartbeats, and what later masters may say
    }
  }

  private void subscribed(Event.Subscribed subscribed) {
    MasterInfo info = Versions.convert(subscribed.getMasterInfo(), MasterInfo.parser());
    calls.setFrameworkId(subscribed.getFrameworkId());
    connected = true;
    if (registeredBefore) {
      scheduler.reregistered(this, info);
      return;
    }
    registeredBefore = true;
    scheduler.registered(this, Versions.convert(subscribed.getFrameworkId(), Protos.FrameworkID.parser()), info);
  }

  private void updated(TaskStatus update) {
    scheduler.statusUpdate(this, update);
    if (implicitAcknowledgements && update.hasUuid()) {
      send(calls.acknowledge(update));
    }
  }

  private void failed(Event.Failure failure) {
    SlaveID agent = Versions.convert(failure.getAgentId(), SlaveID.parser());
    if (failure.hasExecutorId()) {
      ExecutorID executor = Versions.convert(failure.getExecutorId(), ExecutorID.parser());
      scheduler.executorLost(this, executor, agent, failure.getStatus());
    } else {
      scheduler.slaveLost(this, agent);
    }
  }

  private void fail(String message) {
    if (isRunning()) {
      abort();
      scheduler.error(this, message);
    }
  }

  private void disconnected() {
    if (connected) {
      connected = false;
      scheduler.disconnected(this);
    }
  }

  private static void pause() {
    try {
      Thread.sleep(RETRY_MS);
    } catch (InterruptedException interrupted) {
      Thread.currentThread().interrupt();
    }
  }

  // --- calls

  private boolean isRunning() {
    return status.get() == Status.DRIVER_RUNNING;
  }

  private Status send(Call call) {
    try {
      master.call(call);
    } catch (IOException failure) {
      System.err.println("MesosSchedulerDriver: " + call.getType() + " was dropped: " + failure);
    }
    return status.get();
  }

  private Status sendIfRunning(Call call) {
    return isRunning() ? send(call) : status.get();
  }

  @Override
  public Status requestResources(Collection<Request> requests) {
    return sendIfRunning(calls.request(requests));
  }

  @Override
  public Status launchTasks(Collection<OfferID> offers, Collection<TaskInfo> tasks, Filters filters) {
    Offer.Operation.Launch launch = Offer.Operation.Launch.newBuilder().addAllTaskInfos(tasks).build();
    Offer.Operation operation =
        Offer.Operation.newBuilder().setType(Offer.Operation.Type.LAUNCH).setLaunch(launch).build();
    return acceptOffers(offers, List.of(operation), filters);
  }

  @Override
  public Status launchTasks(Collection<OfferID> offers, Collection<TaskInfo> tasks) {
    return launchTasks(offers, tasks, Filters.getDefaultInstance());
  }

  @Override
  @Deprecated
  public Status launchTasks(OfferID offer, Collection<TaskInfo> tasks, Filters filters) {
    return launchTasks(List.of(offer), tasks, filters);
  }

  @Override
  @Deprecated
  public Status launchTasks(OfferID offer, Collection<TaskInfo> tasks) {
    return launchTasks(List.of(offer), tasks);
  }

  @Override
  public Status acceptOffers(Collection<OfferID> offers, Collection<Offer.Operation> operations, Filters filters) {
    return sendIfRunning(calls.accept(offers, operations, filters));
  }

  @Override
  public Status declineOffer(OfferID offer, Filters filters) {
    return sendIfRunning(calls.decline(offer, filters));
  }

  @Override
  public Status declineOffer(OfferID offer) {
    return declineOffer(offer, Filters.getDefaultInstance());
  }

  @Override
  public Status killTask(TaskID task) {
    return sendIfRunning(calls.kill(task));
  }

  @Override
  public Status reviveOffers() {
    return sendIfRunning(calls.revive());
  }

  @Override
  public Status suppressOffers() {
    return sendIfRunning(calls.suppress());
  }

  @Override
  public Status acknowledgeStatusUpdate(TaskStatus update) {
    if (implicitAcknowledgements) {
      throw new IllegalStateException("this driver acknowledges updates by itself");
    }
    return sendIfRunning(calls.acknowledge(update));
  }

  @Override
  public Status sendFrameworkMessage(ExecutorID executor, SlaveID agent, byte[] data) {
    return sendIfRunning(calls.message(executor, agent, data));
  }

  @Override
  public Status reconcileTasks(Collection<TaskStatus> statuses) {
    return sendIfRunning(calls.reconcile(statuses));
  }
}
