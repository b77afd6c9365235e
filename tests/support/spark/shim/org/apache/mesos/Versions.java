package org.apache.mesos;

import java.util.Collection;
import java.util.List;
import java.util.stream.Collectors;
import org.apache.mesos.protobuf.InvalidProtocolBufferException;
import org.apache.mesos.protobuf.MessageLite;
import org.apache.mesos.protobuf.Parser;

/**
 * Between the messages of the old and of the v1 interface. They differ in names only ("slave", "agent"), not on the
 * wire, which is also how Mesos itself translates (src/internal/evolve.cpp, devolve.cpp).
 */
final class Versions {
  private Versions() {}

  static <T> List<T> convert(Collection<? extends MessageLite> messages, Parser<T> target) {
    return messages.stream().map(message -> convert(message, target)).collect(Collectors.toList());
  }

  static <T> T convert(MessageLite message, Parser<T> target) {
    try {
      return target.parseFrom(message.toByteString());
    } catch (InvalidProtocolBufferException error) {
      throw new IllegalArgumentException(message.getClass() + " is no message of the other version", error);
    }
  }
}
