"""Lecture 9: formulas against simulation, the checkpoint's code, the text-to-image call."""

import numpy as np
import pytest
from conftest import LECTURES
from scipy.stats import multivariate_normal

from book import definitions

TOY = ("level", "islands_at", "exact", "perfect", "islands", "noisy_islands", "step_back", "sample")
TOY += ("centres", "width")


@pytest.fixture(scope="module")
def toy():
    """The definitions of the two-dimensional section, without the rest of the lecture."""
    return vars(definitions.take(LECTURES["09"], TOY))


@pytest.mark.parametrize("t", [0.1, 0.4, 0.8])
def test_the_mixture_and_its_score_are_those_of_scipy(toy, t):
    alpha, sigma = toy["level"](t)
    x = np.random.default_rng(0).normal(size=(20, 2))
    spread = (alpha**2 * toy["width"] ** 2 + sigma**2) * np.eye(2)

    def density(x):
        return np.mean([multivariate_normal(alpha * m, spread).pdf(x) for m in toy["centres"]], 0)

    assert np.allclose(toy["islands_at"](x, t)[3], np.log(density(x)))
    slope = [(np.log(density(x + e)) - np.log(density(x - e))) / 2e-5 for e in 1e-5 * np.eye(2)]
    clean, score = toy["exact"](x, t)
    assert np.allclose(score, np.stack(slope, axis=1), rtol=1e-4, atol=1e-4)
    assert np.allclose(score, (alpha * clean - x) / sigma**2)  # Tweedie


def test_the_exact_mean_is_the_mean_of_points_that_became_nearly_x(toy):
    rng = np.random.default_rng(0)
    alpha, sigma = toy["level"](0.5)
    x = toy["islands"](1_000_000, rng)
    x_t = alpha * x + sigma * rng.normal(size=x.shape)
    place = np.array([[0.5, 0.3]])
    near = np.linalg.norm(x_t - place, axis=1) < 0.05
    assert np.abs(x[near].mean(axis=0) - toy["exact"](place, 0.5)[0][0]).max() < 0.05


def test_a_ddpm_step_has_the_variance_of_the_true_step_back(toy):
    (alpha, sigma), (alpha_s, sigma_s) = toy["level"](0.6), toy["level"](0.5)
    step = sigma**2 - (alpha / alpha_s * sigma_s) ** 2  # of x_t given x_s
    posterior = 1 / (1 / sigma_s**2 + (alpha / alpha_s) ** 2 / step)  # of x_s given x_t and x
    x = np.zeros((200_000, 1))
    drawn = toy["step_back"](x, x, 0.6, 0.5, 1, np.inf, np.random.default_rng(0))
    assert drawn.var() == pytest.approx(posterior, rel=0.02)


@pytest.mark.parametrize("eta", [0, 1])
def test_the_perfect_denoiser_draws_the_islands(toy, eta):
    start = np.random.default_rng(0).normal(size=(2000, 2))
    x = toy["sample"](toy["perfect"], start, 500 if eta else 100, eta)
    gap = np.linalg.norm(x[:, None] - toy["centres"], axis=-1)
    shares = np.bincount(gap.argmin(axis=1), minlength=5) / 2000
    assert np.abs(shares - 0.2).max() < 0.05
    assert np.mean(gap.min(axis=1) ** 2) == pytest.approx(2 * toy["width"] ** 2, rel=0.1)


def test_text_to_image_runs_on_a_tiny_random_model():
    hub = pytest.importorskip("keras_hub", reason="keras-hub isn't in the lock file")
    from keras_hub.src.models.vae.vae_backbone import VAEBackbone  # not exported

    models = hub.models
    names = ["<|startoftext|>", "<|endoftext|>", "a", "b", "a</w>", "b</w>", "ab"]
    vocabulary = {name: i for i, name in enumerate(names)}

    class Tokenizer(models.CLIPTokenizer):  # keras-hub 0.32 leaves this to tensorflow-text
        def _set_vocabulary_and_merges_tokenizers(self, vocabulary, merges):
            self.vocabulary, self.merges = vocabulary, merges
            super()._set_vocabulary_and_merges_tokenizers(vocabulary, merges)

    def reader(pad):
        tokens = Tokenizer(vocabulary, ["a b"], pad_with_end_token=pad)
        return models.CLIPPreprocessor(tokens, sequence_length=8)

    def text_encoder(name):
        return models.CLIPTextEncoder(
            len(names), 16, 16, 2, 2, 32, "quick_gelu", -2, max_sequence_length=8, name=name
        )

    vae = VAEBackbone([32] * 4, [1] * 4, [32] * 4, [1] * 4, sampler_method="mode", name="vae")
    backbone = models.StableDiffusion3Backbone(
        2, 16, 2, 2, 192, None, None, vae, text_encoder("clip_l"), text_encoder("clip_g"),
        image_shape=(64, 64, 3),
    )  # fmt: skip
    preprocessor = models.StableDiffusion3TextToImagePreprocessor(reader(True), reader(False))
    task = models.StableDiffusion3TextToImage(backbone, preprocessor)
    lecture = definitions.take(LECTURES["09"], ["paint"])
    picture = lecture.paint(task, "a b", seed=1, steps=2)
    assert picture.shape == (64, 64, 3) and picture.dtype == np.uint8
