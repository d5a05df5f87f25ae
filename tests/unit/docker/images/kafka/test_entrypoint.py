"""The image of Kafka takes the variables of the official one."""

from deploy.docker.images.kafka.entrypoint import java, properties


def test_variables_are_settings_by_the_rules_of_the_official() -> None:
    given = {
        "KAFKA_NODE_ID": "1",
        "KAFKA_LISTENER_NAME_INTERNAL_SSL_KEYSTORE_LOCATION": "/k",
        "KAFKA_A__B___C": "x=y",
        "PATH": "/bin",
        "CLUSTER_ID": "c",
    }
    assert properties(given).splitlines() == [
        "a_b-c=x=y",
        "listener.name.internal.ssl.keystore.location=/k",
        "node.id=1",
    ]


def test_options_of_java_are_no_settings_of_the_broker() -> None:
    given = {"KAFKA_HEAP_OPTS": "-Xms1m -Xmx2m", "KAFKA_JVM_PERFORMANCE_OPTS": "-XX:+UseG1GC", "KAFKA_OPTS": "-Da=b"}
    assert properties(given) == ""
    command = java(given)
    assert command[:4] == ["java", "-Xms1m", "-Xmx2m", "-XX:+UseG1GC"]
    assert "-Da=b" in command


def test_the_classpath_is_left_to_java() -> None:
    assert java({})[-2:] == ["-cp", "/opt/kafka/libs/*"]
