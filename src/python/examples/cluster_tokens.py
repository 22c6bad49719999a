"""Groups the tokens of a few sentences by their vectors in context: scikit-learn's k-means on the last layer."""
from sklearn.cluster import KMeans

import glassgpt

texts = ["She sat on the bank of the river.", "The bank lent him the money.", "他在银行存钱。", "她坐在河边。"]
vectors = glassgpt.load().embed(texts, layers=["final"], normalize=True)
labels = KMeans(n_clusters=5, n_init=10, random_state=0).fit_predict(vectors["final"])
for label in range(5):
    print(label, *vectors.rows["token"][labels == label])
