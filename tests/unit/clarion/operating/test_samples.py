from clarion.operating import samples

TEXT = """# TYPE clarion_stored_total counter
clarion_stored_total{lane="urgent"} 3.0
clarion_stored_total{lane="low"} 4.0
# TYPE clarion_stage_seconds histogram
clarion_stage_seconds_bucket{lane="low",stage="store",le="0.1"} 90.0
clarion_stage_seconds_bucket{lane="low",stage="store",le="1.0"} 99.0
clarion_stage_seconds_bucket{lane="low",stage="store",le="+Inf"} 100.0
clarion_stage_seconds_bucket{lane="low",stage="emit",le="0.1"} 0.0
clarion_stage_seconds_bucket{lane="low",stage="emit",le="+Inf"} 0.0
"""


def test_sums_are_over_the_series_with_the_labels_asked_for() -> None:
    found = samples.parse(TEXT)
    assert samples.total(found, "clarion_stored_total") == 7
    assert samples.total(found, "clarion_stored_total", lane="low") == 4
    assert samples.by_label(found, "clarion_stored_total", "lane") == {"urgent": 3, "low": 4}


def test_a_series_that_is_not_there_is_no_zero() -> None:
    assert samples.total(samples.parse(TEXT), "clarion_stored_total", lane="high") is None


def test_a_quantile_is_the_bound_of_its_bucket() -> None:
    found = samples.parse(TEXT)
    assert samples.quantile(found, "clarion_stage_seconds", 0.9, stage="store") == (0.1, 100)
    assert samples.quantile(found, "clarion_stage_seconds", 0.99, stage="store") == (1.0, 100)
    assert samples.quantile(found, "clarion_stage_seconds", 0.995, stage="store") == (float("inf"), 100)


def test_a_histogram_without_values_has_no_quantile() -> None:
    assert samples.quantile(samples.parse(TEXT), "clarion_stage_seconds", 0.99, stage="emit") is None
