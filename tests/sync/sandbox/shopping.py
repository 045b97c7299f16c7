"""The documents that a connector sends to a shop, and a client that sends them."""

from __future__ import annotations

from typing import Any

import httpx

from engine.sync.sandbox.merchants import Merchant

ORDER_CREATE = """
mutation Place($order: OrderCreateOrderInput!, $options: OrderCreateOptionsInput) {
  orderCreate(order: $order, options: $options) {
    order { id name legacyResourceId lineItems(first: 20) { nodes { id sku quantity } } }
    userErrors { field message code }
  }
}"""
ORDERS = """
query Orders($query: String, $after: String, $first: Int!) {
  orders(query: $query, sortKey: UPDATED_AT, first: $first, after: $after) {
    pageInfo { hasNextPage endCursor }
    nodes {
      id name number email tags note poNumber test createdAt processedAt updatedAt cancelledAt cancelReason
      currencyCode presentmentCurrencyCode displayFinancialStatus displayFulfillmentStatus
      totalPriceSet { shopMoney { amount currencyCode } }
      currentTotalPriceSet { shopMoney { amount currencyCode } }
      shippingAddress { name company address1 address2 city provinceCode zip countryCodeV2 phone }
      billingAddress { name address1 city zip }
      customer { id email firstName lastName }
      lineItems(first: 5) {
        nodes {
          id sku title quantity currentQuantity requiresShipping isGiftCard
          originalUnitPriceSet { shopMoney { amount } }
          discountAllocations { allocatedAmountSet { shopMoney { amount } } }
          taxLines { title rate priceSet { shopMoney { amount } } }
          lineItemGroup { id title quantity variantSku }
        }
      }
      shippingLines(first: 3) { nodes { code title discountedPriceSet { shopMoney { amount } } } }
      transactions(first: 5) { id kind status gateway amountSet { shopMoney { amount } } }
      customAttributes { key value }
      metafields(first: 5) { nodes { namespace key value } }
    }
  }
}"""
TAGS_ADD = """
mutation Tag($id: ID!, $tags: [String!]!) {
  tagsAdd(id: $id, tags: $tags) { node { id } userErrors { field message } }
}"""
FULFILLMENT_ORDERS = """
query FulfillmentOrders($id: ID!) {
  order(id: $id) {
    id displayFulfillmentStatus displayFinancialStatus cancelledAt tags
    fulfillments(first: 20) {
      id status trackingInfo { company number url } fulfillmentLineItems(first: 20) { nodes { id quantity } }
    }
    fulfillmentOrders(first: 10) {
      nodes {
        id status requestStatus supportedActions { action } assignedLocation { location { id } }
        lineItems(first: 20) { nodes { id totalQuantity remainingQuantity lineItem { id sku } } }
      }
    }
  }
}"""
FULFILL = """
mutation Fulfill($fulfillment: FulfillmentInput!, $message: String) {
  fulfillmentCreate(fulfillment: $fulfillment, message: $message) {
    fulfillment { id status trackingInfo { company number url } }
    userErrors { field message }
  }
}"""
TRACKING_UPDATE = """
mutation Tracking($id: ID!, $info: FulfillmentTrackingInput!) {
  fulfillmentTrackingInfoUpdate(fulfillmentId: $id, trackingInfoInput: $info, notifyCustomer: false) {
    fulfillment { id trackingInfo { company number url } }
    userErrors { field message }
  }
}"""
SET_QUANTITIES = """
mutation Stock($input: InventorySetQuantitiesInput!, $key: String!) {
  inventorySetQuantities(input: $input) @idempotent(key: $key) {
    inventoryAdjustmentGroup { reason referenceDocumentUri changes { name delta quantityAfterChange } }
    userErrors { field message code }
  }
}"""
INVENTORY = """
query Inventory($query: String, $after: String) {
  inventoryItems(query: $query, first: 10, after: $after) {
    pageInfo { hasNextPage endCursor }
    nodes {
      id sku tracked
      inventoryLevels(first: 10) {
        nodes { location { id } quantities(names: ["available", "on_hand", "committed"]) { name quantity } }
      }
    }
  }
}"""
COMPONENTS = """
query Bundle($id: ID!) {
  productVariant(id: $id) {
    id sku inventoryQuantity requiresComponents
    productVariantComponents(first: 10) { nodes { quantity productVariant { id sku inventoryItem { id } } } }
  }
}"""
RELATE = """
mutation Relate($input: [ProductVariantRelationshipUpdateInput!]!) {
  productVariantRelationshipBulkUpdate(input: $input) {
    parentProductVariants { id requiresComponents }
    userErrors { code field message }
  }
}"""
STAGE = """
mutation Stage($input: [StagedUploadInput!]!) {
  stagedUploadsCreate(input: $input) {
    stagedTargets { url resourceUrl parameters { name value } }
    userErrors { field message }
  }
}"""
BULK = """
mutation Bulk($mutation: String!, $path: String!) {
  bulkOperationRunMutation(mutation: $mutation, stagedUploadPath: $path, clientIdentifier: "h") {
    bulkOperation { id status }
    userErrors { field message code }
  }
}"""
BULK_STATUS = """
query BulkStatus($id: ID!) {
  bulkOperation(id: $id) { id status url partialDataUrl objectCount errorCode completedAt }
}"""
REFUND = """
mutation Refund($input: RefundInput!, $key: String!) {
  refundCreate(input: $input) @idempotent(key: $key) {
    refund { id totalRefundedSet { shopMoney { amount } } }
    order { id displayFinancialStatus }
    userErrors { field message }
  }
}"""
CANCEL = """
mutation Cancel($id: ID!, $reason: OrderCancelReason!, $restock: Boolean!, $refund: Boolean) {
  orderCancel(
    orderId: $id, reason: $reason, restock: $restock, refund: $refund, notifyCustomer: false, staffNote: "h"
  ) {
    job { id done }
    orderCancelUserErrors { field message code }
  }
}"""
RETURN = """
mutation Return($input: ReturnInput!) {
  returnCreate(returnInput: $input) { return { id name status totalQuantity } userErrors { field message code } }
}"""
UPDATE = """
mutation Update($input: OrderInput!) {
  orderUpdate(input: $input) {
    order { id note tags poNumber email shippingAddress { city zip } }
    userErrors { field message }
  }
}"""
HOLD = """
mutation Hold($id: ID!, $hold: FulfillmentOrderHoldInput!) {
  fulfillmentOrderHold(id: $id, fulfillmentHold: $hold) {
    fulfillmentHold { id reason handle }
    fulfillmentOrder { id status supportedActions { action } }
    userErrors { code field message }
  }
}"""
RELEASE = """
mutation Release($id: ID!) {
  fulfillmentOrderReleaseHold(id: $id) { fulfillmentOrder { id status } userErrors { code field message } }
}"""
SUBSCRIBE = """
mutation Subscribe($topic: WebhookSubscriptionTopic!, $to: WebhookSubscriptionInput!) {
  webhookSubscriptionCreate(topic: $topic, webhookSubscription: $to) {
    webhookSubscription { id topic uri format includeFields }
    userErrors { field message }
  }
}"""
PRODUCTS = """
query Products($first: Int!, $after: String) {
  products(first: $first, after: $after, sortKey: UPDATED_AT) {
    pageInfo { hasNextPage endCursor }
    nodes {
      id title handle vendor productType status descriptionHtml updatedAt featuredImage { url altText }
      variants(first: 20) {
        nodes {
          id title sku price inventoryQuantity selectedOptions { name value } inventoryItem { id unitCost { amount } }
        }
      }
    }
  }
}"""
DOCUMENTS = {
    name: value for name, value in list(globals().items()) if name.isupper() and isinstance(value, str) and "{" in value
}
"""Every document above: those of the workflows and those of the tests."""


class Shopper:
    """A caller with an address and a token."""

    def __init__(self, client: httpx.Client, merchant: Merchant, *, version: str = "2026-10") -> None:
        self.client = client
        self.merchant = merchant
        self.url = f"/shopify/{merchant.credentials.shop_domain}/admin/api/{version}/graphql.json"
        self.token = merchant.credentials.shopify_access_token
        first = next(iter(merchant.shop.state.locations))
        stocked = (one for one in merchant.shop.state.variants.values() if first in one.levels)
        self._stocked = [one for one in stocked if one.levels[first].available > 20]

    def post(self, document: str, **variables: Any) -> httpx.Response:
        body = {"query": document, "variables": variables}
        return self.client.post(self.url, json=body, headers={"X-Shopify-Access-Token": self.token})

    def __call__(self, document: str, **variables: Any) -> dict[str, Any]:
        """The data; fails where there are errors."""
        answer = self.post(document, **variables).json()
        assert "errors" not in answer, answer["errors"]
        data: dict[str, Any] = answer["data"]
        return data

    def order(self, lines: list[dict[str, Any]] | None = None, **fields: Any) -> dict[str, Any]:
        """Place an order that commits stock; returns it."""
        sold = lines or [{"variantId": self.variant().gid, "quantity": 2}]
        given = {"email": "maya@example.com", "lineItems": sold} | fields
        options = {"inventoryBehaviour": "DECREMENT_IGNORING_POLICY"}
        made = self(ORDER_CREATE, order=given, options=options)["orderCreate"]
        assert made["userErrors"] == []
        order: dict[str, Any] = made["order"]
        return order

    def variant(self, place: int = 0) -> Any:
        """A variant that had stock at the first place in the beginning."""
        return self._stocked[place]

    def fulfillment_orders(self, order_id: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self(FULFILLMENT_ORDERS, id=order_id)["order"]["fulfillmentOrders"]["nodes"]
        return found


def dollars(amount: str) -> dict[str, Any]:
    return {"shopMoney": {"amount": amount, "currencyCode": "USD"}}
