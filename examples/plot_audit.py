"""
Is my codec any good?
=====================

A codec of handwritten digits, 27 words by k-means, set beside the certified limits: what is lost in its coder, its
decoder and its encoder.
"""

# %%
# The codec, and the classifier that judges what it shows, are made on the first 900 images and audited on the others.

import matplotlib.pyplot as plt
from sklearn.cluster import KMeans
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression

import rdcsolve as rdc

images, digit = load_digits(return_X_y=True)
images = images / 16
words = KMeans(27, n_init=2, random_state=0).fit(images[:900])
classifier = LogisticRegression(max_iter=500).fit(images[:900], digit[:900])
letters = KMeans(120, n_init=1, random_state=1).fit(images[:900]).cluster_centers_

x = images[900:]
messages = words.predict(x)
x_hat = words.cluster_centers_[messages]

# %%
# Messages are sent with five bits each, which 27 messages need without an entropy coder.

found = rdc.audit(
    x, x_hat, messages, lengths=5.0, labels=digit[900:], classifier=classifier, letters=letters, unit="bit"
)
print(found)

# %%
# Most of the distance in distortion is the decoder's: k-means shows the means of the images it was made on, and other
# letters please the classifier as well at a smaller error.

found.plot()
plt.show()
