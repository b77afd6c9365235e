package org.apache.mesos;

import java.io.Closeable;
import java.io.EOFException;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.Iterator;
import org.apache.mesos.v1.scheduler.Protos.Call;
import org.apache.mesos.v1.scheduler.Protos.Event;

/** The master's scheduler endpoint: one event stream in RecordIO, and calls that carry the stream's id. */
final class MasterConnection implements Closeable {
  private static final String STREAM_ID = "Mesos-Stream-Id";
  private static final String PROTOBUF = "application/x-protobuf";
  private static final Duration TIMEOUT = Duration.ofSeconds(10);

  /** The master has answered with another status than a success. */
  static final class Refused extends IOException {
    private static final long serialVersionUID = 1;

    Refused(Call.Type call, HttpResponse<InputStream> response) throws IOException {
      super(call + ": HTTP " + response.statusCode() + ": "
          + new String(response.body().readAllBytes(), StandardCharsets.UTF_8));
    }
  }

  private final HttpClient client =
      HttpClient.newBuilder().version(HttpClient.Version.HTTP_1_1).connectTimeout(TIMEOUT).build();
  private final URI uri;
  private volatile String streamId = "";
  private volatile InputStream stream = InputStream.nullInputStream();

  MasterConnection(String address) {
    uri = URI.create("http://" + address + "/api/v1/scheduler");
  }

  /** The events, read as they are iterated over; the end of the stream is an UncheckedIOException. */
  Iterable<Event> subscribe(Call call) throws IOException {
    HttpResponse<InputStream> response = post(call, request(call).header("Accept", PROTOBUF));
    if (response.statusCode() != 200) {
      throw new Refused(call.getType(), response);
    }
    streamId = response.headers().firstValue(STREAM_ID).orElse("");
    InputStream events = response.body();
    stream = events;
    return () -> new Events(events);
  }

  void call(Call call) throws IOException {
    HttpResponse<InputStream> response = post(call, request(call).header(STREAM_ID, streamId).timeout(TIMEOUT));
    if (response.statusCode() / 100 != 2) {
      throw new Refused(call.getType(), response);
    }
    response.body().readAllBytes(); // else the connection cannot be used again
  }

  private HttpRequest.Builder request(Call call) {
    return HttpRequest.newBuilder(uri)
        .header("Content-Type", PROTOBUF)
        .POST(HttpRequest.BodyPublishers.ofByteArray(call.toByteArray()));
  }

  private HttpResponse<InputStream> post(Call call, HttpRequest.Builder request) throws IOException {
    try {
      return client.send(request.build(), HttpResponse.BodyHandlers.ofInputStream());
    } catch (InterruptedException interrupted) {
      Thread.currentThread().interrupt();
      throw new IOException(call.getType() + " was interrupted", interrupted);
    }
  }

  /** Ends the event stream. */
  @Override
  public void close() {
    try {
      stream.close();
    } catch (IOException broken) {
      System.err.println("MesosSchedulerDriver: the event stream broke while it was closed: " + broken);
    }
  }

  @Override
  public String toString() {
    return uri.getAuthority();
  }

  /** RecordIO: each record is its length in decimal, a newline, then that many bytes. */
  private static final class Events implements Iterator<Event> {
    private final InputStream in;

    Events(InputStream in) {
      this.in = in;
    }

    @Override
    public boolean hasNext() {
      return true;
    }

    @Override
    public Event next() {
      try {
        byte[] record = in.readNBytes(readLength());
        return Event.parseFrom(record);
      } catch (IOException broken) {
        throw new UncheckedIOException(broken);
      }
    }

    private int readLength() throws IOException {
      int length = 0;
      for (int digit = in.read(); digit != '\n'; digit = in.read()) {
        if (digit < '0' || digit > '9') {
          throw digit < 0 ? new EOFException("the event stream ended") : new IOException("no RecordIO: " + digit);
        }
        length = 10 * length + digit - '0';
      }
      return length;
    }
  }
}
