"""The models in the panel: what is told of each."""


def choose(host, panel, name):
    combo = panel.ui.modelComboBox
    texts = [combo.itemText(row) for row in range(combo.count)]
    combo.currentIndex = next(row for row, text in enumerate(texts) if text.startswith(name))
    host.wait_until(lambda: panel.ui.modelComboBox.currentText.startswith(name))


def test_the_model_of_the_sample_data_is_chosen_first(panel):
    assert panel.ui.modelComboBox.currentText.startswith("Synthetic hip")


def test_what_a_card_says_is_shown(host, panel):
    choose(host, panel, "Mouse skull")
    host.wait_until(lambda: "0.217 mm (0.193 to 0.241)" in panel.ui.modelInfoLabel.toolTip)
    told = panel.ui.modelDetailsTextBrowser.html
    for said in ("What it is not for", "mirrored numbers", "GPL-3.0", "Never tried on", "Maga"):
        assert said in told
