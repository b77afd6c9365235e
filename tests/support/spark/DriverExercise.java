import static org.apache.mesos.Protos.*;

import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import org.apache.mesos.MesosSchedulerDriver;
import org.apache.mesos.Scheduler;
import org.apache.mesos.SchedulerDriver;

/**
 * Makes every call of a scheduler driver that Spark's short jobs may not make, and waits for what each one leads to:
 * {@code java DriverExercise MASTER EXECUTOR-COMMAND}. Prints what it saw; "restart the master" asks the caller to.
 */
public class DriverExercise implements Scheduler {
  private final BlockingQueue<String> seen = new LinkedBlockingQueue<>();
  private volatile Offer offer;
  private volatile TaskStatus update;
  private SchedulerDriver driver;

  public static void main(String[] arguments) throws InterruptedException {
    new DriverExercise().play(arguments[0], arguments[1]);
  }

  private void play(String master, String command) throws InterruptedException {
    FrameworkInfo.Builder framework = FrameworkInfo.newBuilder().setUser("root").setName("exercise");
    framework.setFailoverTimeout(60).setCheckpoint(true);
    driver = new MesosSchedulerDriver(this, framework.build(), "mesos://" + master, false);
    check(driver.start() == Status.DRIVER_RUNNING, "runs");
    await("registered");
    await("offer");
    driver.launchTasks(List.of(offer.getId()), List.of(task(offer, command)));
    await("TASK_RUNNING");

    TaskStatus running = update;
    byte[] hello = "{\"echo\": \"hello\"}".getBytes(StandardCharsets.UTF_8);
    driver.sendFrameworkMessage(running.getExecutorId(), running.getSlaveId(), hello);
    await("message hello");
    driver.reconcileTasks(List.of(running));
    await("TASK_RUNNING");
    check(update.getReason() == TaskStatus.Reason.REASON_RECONCILIATION, "an answer to the question");
    driver.reconcileTasks(List.of());
    await("TASK_RUNNING");

    driver.suppressOffers();
    driver.killTask(running.getTaskId());
    await("TASK_KILLED");
    driver.reviveOffers();
    await("offer");
    driver.declineOffer(offer.getId(), Filters.newBuilder().setRefuseSeconds(3600).build());

    System.out.println("restart the master");
    await("disconnected");
    await("reregistered");
    check(driver.stop() == Status.DRIVER_STOPPED, "stopped");
    check(driver.join() == Status.DRIVER_STOPPED, "joined");
  }

  private static TaskInfo task(Offer offer, String command) {
    ExecutorInfo executor =
        ExecutorInfo.newBuilder()
            .setExecutorId(ExecutorID.newBuilder().setValue("exercised"))
            .setCommand(CommandInfo.newBuilder().setValue(command))
            .build();
    return TaskInfo.newBuilder()
        .setName("task")
        .setTaskId(TaskID.newBuilder().setValue("task"))
        .setSlaveId(offer.getSlaveId())
        .setExecutor(executor)
        .addResources(scalar("cpus", 0.1))
        .addResources(scalar("mem", 32))
        .build();
  }

  private static Resource scalar(String name, double value) {
    return Resource.newBuilder()
        .setName(name)
        .setType(Value.Type.SCALAR)
        .setScalar(Value.Scalar.newBuilder().setValue(value))
        .build();
  }

  // --- waiting

  /** Acknowledges every update on the way: Mesos sends a task's next one only then. */
  private void await(String wanted) throws InterruptedException {
    for (String event = ""; !event.equals(wanted); ) {
      event = seen.poll(20, TimeUnit.SECONDS);
      check(event != null, "waited for: " + wanted);
      System.err.println(event);
      if (event.startsWith("TASK_") && update.hasUuid()) {
        driver.acknowledgeStatusUpdate(update);
      }
    }
    System.out.println(wanted);
  }

  private static void check(boolean fact, String text) {
    if (!fact) {
      throw new AssertionError(text);
    }
  }

  // --- what the driver calls

  @Override
  public void registered(SchedulerDriver driver, FrameworkID id, MasterInfo master) {
    check(!id.getValue().isEmpty() && master.getPort() > 0, "who is registered where");
    seen.add("registered");
  }

  @Override
  public void reregistered(SchedulerDriver driver, MasterInfo master) {
    seen.add("reregistered");
  }

  @Override
  public void resourceOffers(SchedulerDriver driver, List<Offer> offers) {
    offer = offers.get(0);
    seen.add("offer");
  }

  @Override
  public void offerRescinded(SchedulerDriver driver, OfferID rescinded) {
    seen.add("rescinded");
  }

  @Override
  public void statusUpdate(SchedulerDriver driver, TaskStatus status) {
    update = status;
    seen.add(status.getState().name());
  }

  @Override
  public void frameworkMessage(SchedulerDriver driver, ExecutorID executor, SlaveID agent, byte[] data) {
    seen.add("message " + new String(data, StandardCharsets.UTF_8));
  }

  @Override
  public void disconnected(SchedulerDriver driver) {
    seen.add("disconnected");
  }

  @Override
  public void slaveLost(SchedulerDriver driver, SlaveID agent) {
    seen.add("agent lost");
  }

  @Override
  public void executorLost(SchedulerDriver driver, ExecutorID executor, SlaveID agent, int status) {
    seen.add("executor lost");
  }

  @Override
  public void error(SchedulerDriver driver, String message) {
    seen.add("error " + message);
    System.out.println("error " + message);
  }
}
